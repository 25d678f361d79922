import { KatmanError } from '@katman/oci'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { parseGoDuration } from '../terminal/go-time.ts'
import { formatSize } from '../terminal/size.ts'

export interface GcFlags {
  readonly dryRun: boolean
  readonly minAge: string
  readonly quarantine: boolean
}

/** `gc` */
export async function run(context: Context, flags: GcFlags): Promise<void> {
  const minAgeMs = parseGoDuration(flags.minAge)
  if (minAgeMs === undefined) {
    throw plainFailure(
      new KatmanError('DURATION_INVALID', `--min-age: not a duration: ${flags.minAge}`, {
        hint: 'write hours, minutes or seconds: 24h, 10m, 90s',
      }),
    )
  }
  await using store = await context.openStore()
  const { deleted, setAside, reclaimedBytes } = await store.collectGarbage({
    dryRun: flags.dryRun,
    quarantine: flags.quarantine,
    minAgeMs,
    signal: context.signal,
  })
  const done = flags.dryRun ? 'would delete' : 'deleted'
  for (const item of deleted) context.stdout.write(`${done}: ${item.kind} ${item.digest}\n`)
  for (const { name } of setAside) {
    context.stdout.write(`${done}: quarantine ${escapeTerminal(name)}\n`)
  }
  const verb = flags.dryRun ? 'Reclaimable space' : 'Total reclaimed space'
  context.stdout.write(`${verb}: ${formatSize(reclaimedBytes, 4)}\n`)
}

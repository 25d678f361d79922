import { KatmanError } from '@katman/oci'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { parseGoDuration } from '../terminal/go-time.ts'
import { formatSize } from '../terminal/size.ts'

export interface GcFlags {
  readonly dryRun: boolean
  readonly minAge: string
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
  const { deleted, reclaimedBytes } = await store.collectGarbage({
    dryRun: flags.dryRun,
    minAgeMs,
    signal: context.signal,
  })
  for (const item of deleted) {
    context.stdout.write(
      `${flags.dryRun ? 'would delete' : 'deleted'}: ${item.kind} ${item.digest}\n`,
    )
  }
  const verb = flags.dryRun ? 'Reclaimable space' : 'Total reclaimed space'
  context.stdout.write(`${verb}: ${formatSize(reclaimedBytes, 4)}\n`)
}

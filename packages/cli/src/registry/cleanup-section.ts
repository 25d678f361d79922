import type { RegistryOptions } from '@katman/registry'
import type { YamlValue } from '../sync/yaml-reader.ts'
import { parseGoDuration } from '../terminal/go-time.ts'

type CleanupOptions = NonNullable<RegistryOptions['cleanup']>

const dayMs = 86_400_000

/** The section `cleanup` of a registry's configuration. */
export function readCleanup(section: YamlValue): { readonly cleanup: CleanupOptions } {
  const fields = section.fields([...Object.keys(durations), 'referrers', 'scrub-rate'])
  const cleanup: Mutable<CleanupOptions> = {}
  for (const [key, option] of Object.entries(durations)) {
    const value = fields[key]
    if (value !== undefined && !value.isEmpty) cleanup[option] = readDuration(value)
  }
  const { referrers, 'scrub-rate': rate } = fields
  if (referrers !== undefined) cleanup.areReferrersRemoved = readReferrers(referrers)
  if (rate !== undefined) cleanup.scrubBytesPerSecond = rate.count()
  return { cleanup }
}

const durations = {
  every: 'everyMs',
  'review-after': 'reviewAfterMs',
  condemned: 'condemnedMs',
  untagged: 'untaggedMs',
  undelete: 'undeleteMs',
  uploads: 'uploadsMs',
  'retention-every': 'retentionEveryMs',
  'scrub-every': 'scrubEveryMs',
} as const satisfies Readonly<Record<string, keyof CleanupOptions>>

/** `90s`, `24h`, and days, which Go does not have: `30d`. */
function readDuration(value: YamlValue): number {
  const text = value.text()
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? []
  const duration = days === undefined ? parseGoDuration(text) : Number(days) * dayMs
  if (duration === undefined || duration < 0) {
    throw value.fail(`'${text}' is no duration: write 30d, 24h, 15m or 1s`)
  }
  return Math.round(duration)
}

/** What happens to signatures and the like whose image is gone. */
function readReferrers(value: YamlValue): boolean {
  const text = value.text()
  if (text === 'remove' || text === 'keep') return text === 'remove'
  throw value.fail(`'${text}' is neither remove nor keep`)
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

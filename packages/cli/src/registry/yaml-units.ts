import { parseGoDuration } from '../terminal/go-time.ts'
import type { YamlValue } from '../sync/yaml-reader.ts'

/** A duration such as `90s`, `12h` or `30d`, in seconds. */
export function readSeconds(value: YamlValue): number {
  const text = value.text()
  const days = /^(\d{1,5})d$/.exec(text)?.[1]
  const ms = days === undefined ? parseGoDuration(text) : Number(days) * 86_400_000
  if (ms !== undefined && ms >= 0) return ms / 1000
  throw value.fail(`'${text}' is no duration: write 30d, 12h, 10m or 90s`)
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** A size such as `512m` or `20g`, in bytes; a unit is 1024 of the one before. */
export function readBytes(value: YamlValue): number {
  const text = value.text()
  const [, digits = '', unit = ''] = /^(\d{1,12})([kmgt]?)b?$/i.exec(text) ?? []
  const bytes = Number(digits) * (units[unit.toLowerCase()] ?? NaN)
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes
  throw value.fail(`'${text}' is no size: write 512m, 20g or 1t`)
}

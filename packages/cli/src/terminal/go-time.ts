import { KatmanError } from '@katman/oci'
import { quoteGo } from './go-quote.ts'

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/**
 * Reads a Go duration (`24h`, `1h30m`, `1.5h`, `-3s`, `500ms`) as milliseconds; undefined when it is none. There is no
 * unit of days, as in Go.
 */
export function parseGoDuration(text: string): number | undefined {
  const [, sign, body = ''] = /^([-+]?)(.*)$/s.exec(text) ?? []
  if (body === '0') return 0
  if (!/^(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body))
    return undefined
  let total = 0
  for (const [, number, unit = ''] of body.matchAll(/([0-9.]+)([^0-9.]+)/g)) {
    total += Number(number) * (unitMs[unit] ?? 0)
  }
  // Go counts nanoseconds in 64 bits: about 292 years.
  if (total > 2 ** 63 / 1e6) return undefined
  return sign === '-' ? -total : total
}

const datePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(\.\d+)?)?)?)?(Z|[-+]\d{2}:\d{2})?$/

/**
 * Reads the time of a filter such as `until=`: a duration before `now`, a date or time (RFC 3339, also without zone,
 * seconds, minutes or hours: then local time) or seconds since 1970 with a fraction. Milliseconds since 1970. Throws
 * `FILTER_INVALID` with docker's text.
 */
export function parseFilterTime(text: string, now: Date): number {
  const duration = parseGoDuration(text)
  if (duration !== undefined) return now.getTime() - duration
  const time = parseDate(text) ?? parseUnixSeconds(text)
  if (time === undefined) {
    throw new KatmanError(
      'FILTER_INVALID',
      `failed to parse value as time or duration: ${quoteGo(text)}`,
    )
  }
  return time
}

function parseDate(text: string): number | undefined {
  const match = datePattern.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone] = match
  const parts = [year, month, day, hour, minute, second].map(Number)
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = parts
  const utc = new Date(0)
  utc.setUTCFullYear(y, mo - 1, d)
  utc.setUTCHours(h, mi, s)
  const isReal =
    utc.getUTCFullYear() === y && utc.getUTCMonth() === mo - 1 && utc.getUTCDate() === d
  if (!isReal || h > 23 || mi > 59 || s > 59) return undefined
  const milliseconds = Math.trunc(Number(fraction) * 1000)
  if (zone === undefined) {
    const local = new Date(0)
    local.setFullYear(y, mo - 1, d)
    local.setHours(h, mi, s, milliseconds)
    return local.getTime()
  }
  return utc.getTime() + milliseconds - zoneMs(zone)
}

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000
}

function parseUnixSeconds(text: string): number | undefined {
  const [, seconds, fraction = ''] = /^(-?\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (seconds === undefined) return undefined
  return Number(seconds) * 1000 + Math.trunc(Number(`0.${fraction || '0'}`) * 1000)
}

/** A time in the local zone as Go prints it, to the second: `2024-09-06 22:20:07 +0000 UTC`. */
export function formatGoTime(date: Date): string {
  const { local, offset } = localParts(date)
  const [day, clock] = local
  return `${day} ${clock} ${offset.replace(':', '')} ${zoneName(date, offset)}`
}

/** A time in the local zone as RFC 3339, to the second: `2024-09-06T22:20:07Z`. */
export function formatRfc3339(date: Date): string {
  const { local, offset } = localParts(date)
  return local.join('T') + (offset === '+00:00' ? 'Z' : offset)
}

function localParts(date: Date): {
  readonly local: readonly [string, string]
  readonly offset: string
} {
  const minutes = -date.getTimezoneOffset()
  const shifted = new Date(date.getTime() + minutes * 60_000).toISOString()
  const [day = '', clock = ''] = shifted.replace(/\.\d+Z$/, '').split('T')
  const size = Math.abs(minutes)
  const two = (value: number): string => String(value).padStart(2, '0')
  const offset = `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}:${two(size % 60)}`
  return { local: [day, clock], offset }
}

/** The zone's abbreviation; where none is in use Go writes the offset: `+03`. */
function zoneName(date: Date, offset: string): string {
  // Loading the formatter takes longer than all else here, and most servers run on UTC.
  if (date.toTimeString().endsWith('(Coordinated Universal Time)')) return 'UTC'
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
  return /^GMT[-+]/.test(name) ? offset.replace(/:00$/, '').replace(':', '') : name
}

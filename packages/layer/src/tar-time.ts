/** A time as whole seconds since 1970 (rounded down) and the nanoseconds after them, 0 to 999,999,999. */
export interface TarTime {
  readonly seconds: number
  readonly nanos: number
}

/** The years 1 to 9999 (UTC): what dates can be written in. Times beyond are moved to the nearest end. */
const minSeconds = -62_135_596_800
const maxSeconds = 253_402_300_799

export function clampSeconds(seconds: number): number {
  return Math.min(Math.max(seconds, minSeconds), maxSeconds)
}

/** Reads `-12.345`: digits, at most one dot, digits beyond nanoseconds dropped. Undefined for anything else. */
export function parsePaxTime(text: string): TarTime | undefined {
  const match = /^(-?)([0-9]+)(?:\.([0-9]*))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = ''] = match
  const nanos = Number(fraction.slice(0, 9).padEnd(9, '0'))
  const seconds = Number(whole)
  const time =
    sign === ''
      ? { seconds, nanos }
      : { seconds: nanos === 0 ? 0 - seconds : -seconds - 1, nanos: (1e9 - nanos) % 1e9 }
  const clamped = clampSeconds(time.seconds)
  return clamped === time.seconds ? time : { seconds: clamped, nanos: 0 }
}

/** Writes a time so that {@link parsePaxTime} reads the same. */
export function formatPaxTime({ seconds, nanos }: TarTime): string {
  if (nanos === 0) return String(seconds)
  return seconds < 0 ? `-${-seconds - 1}.${digits(1e9 - nanos)}` : `${seconds}.${digits(nanos)}`
}

function digits(nanos: number): string {
  return String(nanos).padStart(9, '0').replace(/0+$/, '')
}

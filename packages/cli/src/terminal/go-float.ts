/** The significant digits of a number and the power of ten of the first: 123.4 → `1234`, 2. */
interface Decimal {
  readonly digits: string
  readonly exponent: number
}

/** A number as Go's `%.<digits>g`; without `digits` as `%v` (the shortest that reads back, exponents from 1e21). */
export function formatG(value: number, digits?: number): string {
  return withSign(value, (size) => {
    const decimal = digits === undefined ? shortest(size) : rounded(size, Math.max(digits, 1))
    const kept = decimal.digits.replace(/0+$/, '') || '0'
    const limit =
      digits === undefined
        ? 21
        : digits > kept.length && kept.length > decimal.exponent
          ? kept.length
          : Math.max(digits, 1)
    if (decimal.exponent < -4 || decimal.exponent >= limit) {
      return `${point(kept, 1)}${exponentText(decimal.exponent)}`
    }
    return point(kept, decimal.exponent + 1)
  })
}

/** A number as Go's `%.<digits>e`. */
export function formatE(value: number, digits = 6): string {
  return withSign(value, (size) => {
    const decimal = rounded(size, digits + 1)
    return `${point(decimal.digits, 1)}${exponentText(decimal.exponent)}`
  })
}

/** A number as Go's `%.<digits>f`. */
export function formatF(value: number, digits = 6): string {
  return withSign(value, (size) => {
    const exponent = exact(size).exponent
    const wanted = exponent + 1 + digits
    if (wanted < 0) return point('0'.repeat(digits + 1), 1)
    const decimal = wanted === 0 ? roundToNothing(size) : rounded(size, wanted)
    const whole = decimal.exponent + 1
    if (whole <= 0) return point('0'.repeat(1 - whole) + decimal.digits, 1, digits)
    return point(decimal.digits.padEnd(whole + digits, '0'), whole, digits)
  })
}

function withSign(value: number, format: (size: number) => string): string {
  if (Number.isNaN(value)) return 'NaN'
  const negative = value < 0 || Object.is(value, -0)
  if (!Number.isFinite(value)) return negative ? '-Inf' : '+Inf'
  return negative ? `-${format(-value)}` : format(value)
}

function shortest(value: number): Decimal {
  return digitsOf(value.toExponential())
}

/** All digits a double has, up to the 101 that JavaScript tells: enough to see on which side of a tie it is. */
function exact(value: number): Decimal {
  // oxlint-disable-next-line oxc/number-arg-out-of-range -- the limit has been 100 since ES2018
  return digitsOf(value.toExponential(100))
}

function digitsOf(text: string): Decimal {
  const [mantissa = '0', exponent = '0'] = text.split('e')
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) }
}

/** Rounds to `count` digits, ties to even: Go does, `toPrecision` rounds ties up. */
function rounded(value: number, count: number): Decimal {
  const { digits, exponent } = exact(value)
  if (count >= digits.length) return { digits: digits.padEnd(count, '0'), exponent }
  const kept = digits.slice(0, count)
  const rest = digits.slice(count)
  const isTie = /^50*$/.test(rest)
  const up = isTie ? Number(kept.at(-1)) % 2 === 1 : rest >= '5'
  if (!up) return { digits: kept, exponent }
  const raised = String(BigInt(kept) + 1n)
  return raised.length > count
    ? { digits: raised.slice(0, count), exponent: exponent + 1 }
    : { digits: raised, exponent }
}

/** A number that is below the last shown digit: it rounds to one of that digit, or to none. */
function roundToNothing(value: number): Decimal {
  const { digits, exponent } = exact(value)
  return digits > '5'.padEnd(digits.length, '0')
    ? { digits: '1', exponent: exponent + 1 }
    : { digits: '0', exponent: exponent + 1 }
}

/** Puts the decimal point after `whole` digits; `fraction` keeps exactly that many behind it. */
function point(digits: string, whole: number, fraction?: number): string {
  const padded = whole <= 0 ? '0'.repeat(1 - whole) + digits : digits.padEnd(whole, '0')
  const split = Math.max(whole, 1)
  const behind =
    fraction === undefined
      ? padded.slice(split)
      : padded.slice(split, split + fraction).padEnd(fraction, '0')
  return behind === '' ? padded.slice(0, split) : `${padded.slice(0, split)}.${behind}`
}

function exponentText(exponent: number): string {
  const sign = exponent < 0 ? '-' : '+'
  return `e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

import { formatG } from './go-float.ts'

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB']
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']

/**
 * A size in decimal units as docker prints it: `7.35MB`. `digits` is the number of significant digits: 3 in tables of
 * images, 4 (the default) in totals and progress. Exponents appear where C's `%.3g` has them: `1e+03kB`.
 */
export function formatSize(sizeBytes: number, digits = 4): string {
  return scaled(sizeBytes, 1000, decimalUnits, digits)
}

/** A size in binary units with 4 significant digits, as docker prints memory: `23.54GiB`. */
export function formatBinarySize(sizeBytes: number): string {
  return scaled(sizeBytes, 1024, binaryUnits, 4)
}

function scaled(sizeBytes: number, base: number, units: readonly string[], digits: number): string {
  let size = sizeBytes
  let unit = 0
  while (size >= base && unit < units.length - 1) {
    size /= base
    unit++
  }
  return formatG(size, digits) + units[unit]
}

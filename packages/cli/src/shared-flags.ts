import type { FlagSpec } from './terminal/flags.ts'

// Flags that several commands have.

export const filterFlag = {
  name: 'filter',
  type: 'list',
  value: 'filter',
  help: 'Keep what fits a condition: name=value (repeatable)',
  check: (value: string) =>
    value === '' || value.includes('=') ? undefined : 'bad format of filter (expected name=value)',
} as const satisfies FlagSpec

const formatHelp = "'table' (default), 'table TEMPLATE', 'json',\nor a Go template for each row"

export const formatFlag = {
  name: 'format',
  type: 'string',
  help: formatHelp,
} as const satisfies FlagSpec

export const inspectFormatFlag = {
  name: 'format',
  short: 'f',
  type: 'string',
  help: "'json', or a Go template for each object",
} as const satisfies FlagSpec

export const dryRunFlag = {
  name: 'dry-run',
  type: 'bool',
  help: 'Only say what would be removed',
} as const satisfies FlagSpec

export const noTruncFlag = {
  name: 'no-trunc',
  type: 'bool',
  help: 'Show ids and texts whole',
} as const satisfies FlagSpec

export const referrersFlag = {
  name: 'referrers',
  type: 'bool',
  help: 'Take along what refers to the image: signatures, SBOMs',
} as const satisfies FlagSpec

export const inspectPlatformFlag = {
  name: 'platform',
  type: 'string',
  help: 'Show this platform of an image: os[/arch[/variant]]',
} as const satisfies FlagSpec

import type { SearchResult } from '@katman/remote'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, plainFailure } from '../failure.ts'
import { parseSearchFilters, searchTerm } from '../search-question.ts'
import { shorten } from '../terminal/display-width.ts'
import { renderRows } from '../terminal/format-rows.ts'

export interface SearchFlags {
  readonly catalog: boolean
  readonly filter: readonly string[]
  readonly format: string | undefined
  readonly limit: number | undefined
  readonly noTrunc: boolean
}

const defaultLimit = 25
const maxLimit = 100
const descriptionWidth = 45

/** `search TERM` */
export async function run(
  context: Context,
  flags: SearchFlags,
  [word = '']: readonly string[],
): Promise<void> {
  if (flags.filter.some((filter) => /^\s*is-automated\s*=/i.test(filter))) {
    context.stderr.write(
      'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.\n',
    )
  }
  const rows = await find(context, flags, word)
  try {
    context.stdout.write(await render(rows, flags))
  } catch (error) {
    throw plainFailure(error)
  }
}

async function find(
  context: Context,
  flags: SearchFlags,
  word: string,
): Promise<readonly SearchResult[]> {
  try {
    if (flags.catalog && flags.filter.length > 0) {
      throw new CommandFailure(
        '--filter has nothing to look at with --catalog: it lists names only',
      )
    }
    const isWanted = parseSearchFilters(flags.filter)
    const limit = checkedLimit(flags.limit)
    const { registry, term } = searchTerm(word)
    await using remote = await context.openRemote()
    if (flags.catalog) {
      return await fromCatalog(
        remote.repositories(registry, { signal: context.signal }),
        term,
        limit,
      )
    }
    const found = await remote.search({ registry, term, limit, signal: context.signal })
    return found.filter(isWanted)
  } catch (error) {
    throw withAdvice(error, context.program)
  }
}

/** docker takes everything below 1 for no limit of its own. */
function checkedLimit(limit: number | undefined): number {
  if (limit === undefined || limit < 1) return defaultLimit
  if (limit <= maxLimit) return limit
  throw new CommandFailure(
    `Error response from daemon: Limit ${limit} is outside the range of [1, ${maxLimit}]`,
  )
}

/** The registry's list of repositories, looked through here: it knows names only. */
async function fromCatalog(
  names: AsyncIterable<string>,
  term: string,
  limit: number,
): Promise<readonly SearchResult[]> {
  const wanted = term.toLowerCase()
  const found: SearchResult[] = []
  for await (const name of names) {
    if (!name.includes(wanted)) continue
    found.push({ name, description: '', starCount: 0, isOfficial: false, isAutomated: false })
    if (found.length >= limit) break
  }
  return found
}

/** docker says no more than the status; what to do about it is ours to add, unless we are called docker. */
function withAdvice(error: unknown, program: string): CommandFailure {
  const failure = daemonFailure(error)
  const hint: unknown = error instanceof Error ? Reflect.get(error, 'hint') : undefined
  if (program === 'docker' || typeof hint !== 'string' || failure.message.includes('\nhint: ')) {
    return failure
  }
  return new CommandFailure(`${failure.message}\nhint: ${hint}`, { cause: error })
}

function render(rows: readonly SearchResult[], flags: SearchFlags): Promise<string> {
  return renderRows({
    rows,
    fields: {
      Name: { header: 'NAME', value: (row: SearchResult) => row.name },
      Description: {
        header: 'DESCRIPTION',
        value: (row) => {
          const line = row.description.replaceAll(/[\r\n]/g, ' ')
          return flags.noTrunc ? line : shorten(line, descriptionWidth)
        },
      },
      StarCount: { header: 'STARS', value: (row) => String(row.starCount) },
      IsOfficial: {
        header: 'OFFICIAL',
        value: (row) => (row.isOfficial ? '[OK]' : ''),
        json: (row) => String(row.isOfficial),
      },
    },
    defaultTable: ['Name', 'Description', 'StarCount', 'IsOfficial'],
    format: flags.format,
    typeName: '*registry.searchContext',
  })
}

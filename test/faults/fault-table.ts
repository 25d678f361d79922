import { isKatmanError } from '@katman/oci'

/** Outcomes of faults, collected cell by cell and printed as one table. */
export interface FaultTable {
  record(fault: string, operation: string, outcome: string): void
  /** The outcomes of one fault: `ok`, or `ok; DENIED: tag layer` where some are not as most. */
  row(fault: string): string
  print(): void
}

/** What stands in the table where a fault cannot meet an operation. */
const notPossible = '–'

export function createFaultTable(title: string, operations: readonly string[]): FaultTable {
  const rows = new Map<string, Map<string, string>>()
  return {
    record(fault, operation, outcome) {
      const row = rows.get(fault) ?? new Map<string, string>()
      rows.set(fault, row.set(operation, outcome))
    },
    row: (fault) => {
      const row = operations.flatMap((operation) => {
        const outcome = rows.get(fault)?.get(operation)
        return outcome === undefined ? [] : [{ operation, outcome }]
      })
      const groups = Map.groupBy(row, ({ outcome }) => outcome)
      const [most, ...others] = [...groups].toSorted(
        (left, right) => right[1].length - left[1].length,
      )
      const named = others.map(([outcome, cells]) => {
        return `${outcome}: ${cells.map(({ operation }) => operation).join(' ')}`
      })
      return [most?.[0], ...named.toSorted()].join('; ')
    },
    print() {
      const lines = [
        [title, ...operations],
        ...[...rows].map(([fault, row]) => [
          fault,
          ...operations.map((operation) => row.get(operation) ?? notPossible),
        ]),
      ]
      const widths = lines[0]?.map((_, column) =>
        Math.max(...lines.map((line) => line[column]?.length ?? 0)),
      )
      const text = lines.map((line) =>
        line
          .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      process.stdout.write(`\n${text.join('\n')}\n\n`)
    },
  }
}

/** `ok`, or the code of the error; anything else is thrown on. */
export async function outcomeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    if (isKatmanError(error)) return error.code
    throw error
  }
}

import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { renderRows, type RowField } from '../terminal/format-rows.ts'
import type { Document } from './admin-api.ts'

/** The flags of a list. */
export interface ListFlags {
  readonly format: string | undefined
  readonly quiet?: boolean | undefined
}

interface List<Field extends string> {
  readonly flags: ListFlags
  readonly rows: readonly Document[]
  readonly fields: Readonly<Record<Field, RowField<Document>>>
  /** The columns when no other format is asked for. */
  readonly defaultTable: readonly NoInfer<Field>[]
  /** The only column when names alone are asked for. */
  readonly quiet?: NoInfer<Field>
  /** The name of a row in errors of templates: `*registry.robotContext`. */
  readonly typeName: string
}

/** Prints what the administration API listed, as docker prints lists. */
export async function printList<Field extends string>(
  context: Context,
  { flags, quiet, ...table }: List<Field>,
): Promise<void> {
  const text = await renderRows({
    ...table,
    format: flags.format,
    quiet: flags.quiet === true ? quiet : undefined,
  }).catch((error: unknown) => {
    throw plainFailure(error)
  })
  context.stdout.write(text)
}

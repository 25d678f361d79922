import { KatmanError, parseReference, type Reference } from '@katman/oci'
import { tagImage } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, dockerText } from '../failure.ts'

/** `tag SOURCE TARGET` */
export async function run(
  context: Context,
  _flags: object,
  [source = '', target = '']: readonly string[],
): Promise<void> {
  const reference = clientReference(target)
  if (!/^(?:sha256:)?[0-9a-f]+$/.test(source)) clientReference(source)
  if (reference.digest !== undefined) {
    throw new CommandFailure('refusing to create a tag with a digest reference')
  }
  await using store = await context.openStore()
  try {
    await tagImage(store, source, reference, context.now)
  } catch (error) {
    throw daemonFailure(error)
  }
}

function clientReference(text: string): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!(error instanceof KatmanError)) throw error
    throw new CommandFailure(
      `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${dockerText(error)}`,
      { cause: error },
    )
  }
}

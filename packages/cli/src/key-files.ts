import { readFile } from 'node:fs/promises'
import type { Context } from './context.ts'
import { CommandFailure } from './failure.ts'
import { readHidden } from './terminal/prompt.ts'

/** The text of a key: of a file, or with `env://NAME` of a variable, as cosign reads it. */
export async function readKeyText(context: Context, place: string): Promise<string> {
  const variable = /^env:\/\/(.+)$/.exec(place)?.[1]
  if (variable !== undefined) {
    const text = context.env[variable]
    if (text) return text
    throw new CommandFailure(`${place}: the variable is not set`)
  }
  try {
    return await readFile(place, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CommandFailure(`cannot read the key ${place}: ${reason}`, { cause })
  }
}

/** The password of a private key: of the environment, or asked at a terminal, twice when it is new. */
export async function keyPassword(
  context: Context,
  options: { readonly isNew?: boolean } = {},
): Promise<string> {
  const { env, stdin, stderr, signal } = context
  const given = env['KATMAN_KEY_PASSWORD'] ?? env['COSIGN_PASSWORD']
  if (given !== undefined) return given
  if (!stdin.isTTY) {
    throw new CommandFailure(
      'the private key needs a password: set KATMAN_KEY_PASSWORD (it may be empty), or run at a terminal',
    )
  }
  const password = await readHidden(stdin, stderr, 'Enter password for private key: ', signal)
  if (options.isNew) {
    const again = await readHidden(stdin, stderr, 'Enter password for private key again: ', signal)
    if (again !== password) throw new CommandFailure('passwords do not match')
  }
  return password
}

/** `KEY=VALUE` words as a record. */
export function annotationsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=')
      return [word.slice(0, at), word.slice(at + 1)]
    }),
  )
}

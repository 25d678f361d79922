import type { Remote } from '@katman/remote'
import { openRegistries } from './open-places.ts'
import { version } from './version.ts'

/**
 * Opens the registries as the program would: with the machine's settings, this user's credentials and the proxies of
 * the environment. Close it with `await using`.
 *
 * @example
 * await using registries = await connect()
 * const source = registries.repository(parseReference('alpine'))
 */
export async function connect(
  options: {
    /** Default: the environment of the process. */
    readonly env?: Readonly<Record<string, string | undefined>>
    /** Registries where plain http and unverified TLS are allowed. */
    readonly insecure?: readonly string[]
  } = {},
): Promise<Remote> {
  return openRegistries({
    env: options.env ?? process.env,
    version,
    insecure: options.insecure ?? [],
  })
}

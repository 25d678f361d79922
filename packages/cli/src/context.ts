import type { Remote, RemoteEvent } from '@katman/remote'
import type { Store } from '@katman/store'
import type { Output } from './output.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** All a command may touch: made once in `main`, by hand in tests. */
export interface Context {
  /** The name users typed: `katman`, or `docker` when linked so. */
  readonly program: string
  readonly env: Environment
  /** Where the local store is. */
  readonly root: string
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: NodeJS.ReadStream
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly now: () => Date
  /**
   * Called by a command that runs until it is told to stop: after the first signal it takes the time it needs and ends with exit
   * code 0; a second one ends it at once.
   */
  stopGently(): void
  /** Opens the local store; close it with `await using`. */
  openStore(): Promise<Store>
  /** Opens the client for registries; close it with `await using`. */
  openRemote(options?: RemoteChoices): Promise<Remote>
}

export interface RemoteChoices {
  /** Registries where plain http and unverified TLS are allowed, beside those the settings name. */
  readonly insecure?: readonly string[]
  /** Told of each wait before another try. */
  readonly onEvent?: (event: RemoteEvent) => void
}

/** The store's place: `--root`, `KATMAN_ROOT`, `/var/lib/katman` for root, the user's data folder otherwise. */
export function storeRoot(env: Environment, flag: string | undefined, uid: number): string {
  const chosen = flag ?? env['KATMAN_ROOT']
  if (chosen) return chosen
  if (uid === 0) return '/var/lib/katman'
  const home = env['HOME'] ?? '/'
  return `${env['XDG_DATA_HOME'] ?? `${home}/.local/share`}/katman`
}

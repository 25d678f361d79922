import { createRemote, loadCredentials, loadSettings, type Remote } from '@katman/remote'
import { openStore, type Store } from '@katman/store'
import type { Environment, RemoteChoices } from './context.ts'

/** Opens the local store of a command. */
export async function openLocalStore(root: string, env: Environment): Promise<Store> {
  const workerUrl = bundledWorker()
  const allowNetworkRoot = env['KATMAN_NETWORK_STORE'] === '1'
  return openStore({ root, allowNetworkRoot, ...(workerUrl === undefined ? {} : { workerUrl }) })
}

/** The program of the index threads where a release has bundled it; from source the layer package knows. */
function bundledWorker(): URL | undefined {
  return import.meta.url.endsWith('.ts')
    ? undefined
    : new URL('../index-worker.js', import.meta.url)
}

/** Opens the registry client with the settings and credentials of this user. */
export async function openRegistries(
  options: RemoteChoices & {
    readonly env: Environment
    readonly version: string
    readonly signal?: AbortSignal
    /** Takes lines for stderr about credentials that cannot be read. */
    readonly warn?: (line: string) => void
  },
): Promise<Remote> {
  const { env, signal, warn } = options
  const settings = await loadSettings({ env })
  const insecureRegistries = [...settings.insecureRegistries, ...(options.insecure ?? [])]
  return createRemote({
    settings: { ...settings, insecureRegistries },
    credentials: await loadCredentials({ env, signal, ...(warn === undefined ? {} : { warn }) }),
    userAgent: `katman/${options.version}`,
    onEvent: options.onEvent,
  })
}

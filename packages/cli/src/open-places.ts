import { createRemote, loadCredentials, loadSettings, type Remote } from '@katman/remote'
import { openStore, type Store } from '@katman/store'
import type { Environment, RemoteChoices } from './context.ts'

/** Opens the local store of a command. */
export async function openLocalStore(root: string): Promise<Store> {
  return openStore({ root })
}

/** Opens the registry client with the settings and credentials of this user. */
export async function openRegistries(
  options: RemoteChoices & { readonly env: Environment; readonly version: string },
): Promise<Remote> {
  const { env } = options
  const settings = await loadSettings({ env })
  const insecureRegistries = [...settings.insecureRegistries, ...(options.insecure ?? [])]
  return createRemote({
    settings: { ...settings, insecureRegistries },
    credentials: await loadCredentials({ env }),
    userAgent: `katman/${options.version}`,
  })
}

import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { hubServer, registryOf } from './login.ts'

/** `logout [SERVER]` */
export async function run(
  context: Context,
  _flags: object,
  [server = '']: readonly string[],
): Promise<void> {
  const registry = registryOf(server)
  const { loadCredentials } = await import('@katman/remote')
  const credentials = await loadCredentials({ env: context.env, signal: context.signal })
  const shown = registry === 'docker.io' ? hubServer : registry
  context.stdout.write(`Removing login credentials for ${shown}\n`)
  try {
    await credentials.erase(registry)
  } catch (error) {
    throw plainFailure(error)
  }
}

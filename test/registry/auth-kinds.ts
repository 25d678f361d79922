import { openMemoryStorage, serveRegistry, type ServeOptions } from '@katman/registry'
import type { Login } from './clients.ts'

/** A way to log in, and a registry where it holds. */
export interface AuthKind {
  readonly name: string
  open(): Promise<AuthedRegistry>
}

interface AuthedRegistry extends AsyncDisposable {
  readonly host: string
  /** Undefined where nobody logs in. */
  readonly login: Login | undefined
}

const login: Login = { user: 'ayse', secret: 'parola-parola' }

export const authKinds: readonly AuthKind[] = [
  { name: 'open', open: () => serve(undefined, undefined) },
  { name: 'basic', open: () => serve({ kind: 'basic', users: { ayse: login.secret } }, login) },
  { name: 'token', open: () => serve({ kind: 'bearer', users: { ayse: login.secret } }, login) },
]

async function serve(
  auth: ServeOptions['auth'],
  known: Login | undefined,
): Promise<AuthedRegistry> {
  const server = await serveRegistry({
    storage: await openMemoryStorage(),
    ...(auth === undefined ? {} : { auth }),
  })
  return { host: server.host, login: known, [Symbol.asyncDispose]: () => server.close() }
}

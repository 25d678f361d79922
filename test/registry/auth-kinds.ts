import path from 'node:path'
import { type Administration, administer } from './administer.ts'
import type { Login } from './clients.ts'
import { serveKatman } from './serve.ts'

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

const ayse: Login = { user: 'ayse', secret: 'parola-parola' }

/** The namespace in which the clients work. */
const namespace = 'clients'

export const authKinds: readonly AuthKind[] = [
  {
    name: 'open',
    async open() {
      return { ...(await serveKatman((folder) => [...dataIn(folder), '--open'])), login: undefined }
    },
  },
  {
    name: 'password',
    open: () =>
      withAccounts(async ({ addPerson }) => {
        await addPerson(ayse, namespace)
        return ayse
      }),
  },
  {
    name: 'token',
    open: () =>
      withAccounts(async ({ addPerson, post }) => {
        await addPerson(ayse, namespace)
        const { token } = await post('accounts/ayse/tokens', { name: 'laptop' }, ayse)
        return { ...ayse, secret: String(token) }
      }),
  },
  {
    name: 'robot',
    open: () =>
      withAccounts(async ({ addPerson, addRobot }) => {
        await addPerson(ayse, namespace)
        return addRobot(namespace)
      }),
  },
]

async function withAccounts(
  make: (administration: Administration) => Promise<Login>,
): Promise<AuthedRegistry> {
  const server = await serveKatman(dataIn)
  return { ...server, login: await make(await administer(server)) }
}

function dataIn(folder: string): readonly string[] {
  return ['--data', path.join(folder, 'data')]
}

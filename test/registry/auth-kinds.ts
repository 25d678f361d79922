import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { startIssuer } from '../../packages/registry/test/oidc-issuer.ts'
import { runChecked } from '../peers/terminal.ts'
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
    name: 'htpasswd',
    async open() {
      const flags = ['-n', '-i', '-B', '-C', '5', ayse.user]
      const { stdout } = await runChecked('/usr/bin/htpasswd', flags, { stdin: ayse.secret })
      const server = await serveKatman((folder) => {
        const file = path.join(folder, 'users')
        writeFileSync(file, stdout)
        return [...dataIn(folder), ...configOf(folder, { access: { htpasswd: { file } } })]
      })
      return { ...server, login: ayse }
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
  {
    // As a CI job logs in: with a token that its OpenID Connect issuer signed, as the password.
    name: 'OIDC',
    async open() {
      const issuer = await startIssuer()
      const claims = { repository: 'org/app' }
      const identities = [{ claims, account: `${namespace}+robot` }]
      const workloads = [{ issuer: issuer.url, audience: 'registry.example', identities }]
      const server = await serveKatman((folder) => [
        ...dataIn(folder),
        ...configOf(folder, { access: { workloads }, outbound: { allow: ['127.0.0.1'] } }),
      ])
      const { addPerson, addRobot } = await administer(server)
      await addPerson(ayse, namespace)
      await addRobot(namespace)
      const now = Math.floor(Date.now() / 1000)
      const times = { iat: now, exp: now + 600 }
      const token = { ...claims, ...times, iss: issuer.url, aud: 'registry.example', sub: 'job' }
      return {
        host: server.host,
        login: { user: 'ci', secret: await issuer.sign(token) },
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]()
          await issuer[Symbol.asyncDispose]()
        },
      }
    },
  },
]

async function withAccounts(
  make: (administration: Administration) => Promise<Login>,
): Promise<AuthedRegistry> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await serveKatman(dataIn))
  const login = await make(await administer(server))
  const all = stack.move()
  return { host: server.host, login, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

function dataIn(folder: string): readonly string[] {
  return ['--data', path.join(folder, 'data')]
}

/** JSON is YAML, too. */
function configOf(folder: string, document: object): readonly string[] {
  const file = path.join(folder, 'registry.yaml')
  writeFileSync(file, JSON.stringify(document))
  return ['--config', file]
}

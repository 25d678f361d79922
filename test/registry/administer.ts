import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Login } from './clients.ts'
import type { ServedRegistry } from './serve.ts'

/** The administration API, as its first administrator or as somebody else. */
export interface Administration {
  /** Sends a document; the answer's. Throws when it is a refusal. */
  readonly post: (
    target: string,
    document: object,
    who?: Login,
  ) => Promise<Readonly<Record<string, unknown>>>
  /** Makes a person with a password and a namespace that is theirs. */
  readonly addPerson: (login: Login, namespace: string) => Promise<void>
  /** Makes a robot that may do everything in the repositories of its namespace. */
  readonly addRobot: (namespace: string) => Promise<Login>
}

/** Takes the token that a registry shows at its first start. */
export async function administer({ host, directory }: ServedRegistry): Promise<Administration> {
  const admin: Login = { user: 'admin', secret: await readFirstToken(path.join(directory, 'log')) }
  const post: Administration['post'] = async (target, document, who = admin) => {
    const basic = Buffer.from(`${who.user}:${who.secret}`).toString('base64')
    const response = await fetch(`http://${host}/api/v1/${target}`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/json' },
      body: JSON.stringify(document),
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`POST ${target}: ${response.status} ${text}`)
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  }
  return {
    post,
    async addPerson({ user, secret: password }, namespace) {
      await post('accounts', { name: user, password })
      await post('namespaces', { name: namespace, owner: user })
    },
    async addRobot(namespace) {
      const user = `${namespace}+robot`
      const grants = [{ repository: `${namespace}/**`, actions: ['pull', 'push', 'delete'] }]
      const { token } = await post('robots', { name: user, grants })
      return { user, secret: String(token) }
    },
  }
}

/** It is shown when everything is ready, which a client may notice a moment earlier. */
async function readFirstToken(log: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const secret = /\b(kat_\w+)/.exec(await readFile(log, 'utf8'))?.[1]
    if (secret !== undefined) return secret
    await delay(25)
  }
  throw new Error(`no token of the first start: ${await readFile(log, 'utf8')}`)
}

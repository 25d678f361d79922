import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { describePeers } from '../peers/require-peer.ts'
import { authKinds } from './auth-kinds.ts'
import { type Client, clientsOf, type Goods, makeGoods, type Place, verbs } from './clients.ts'
import { Matrix } from './matrix.ts'

// Every client does all it can with the registry, under every way to log in. The table at the end: `·` is
// a verb that the client has no command for, or a login where nobody logs in.

describePeers(
  'Clients of the registry',
  [
    'root',
    'dockerd',
    'docker',
    'ctr',
    'podman',
    'skopeo',
    'crane',
    'regctl',
    'oras',
    'helm',
    'htpasswd',
  ],
  () => {
    const matrix = new Matrix()
    let folder: string
    let engine: DockerdPeer
    let goods: Goods
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'katman-clients-'))
      engine = await startDockerd()
      goods = await makeGoods(folder)
    })
    afterAll(async () => {
      console.log(`client × how one logs in: ${verbs.join(', ')}, refused\n${matrix.toString()}`)
      await engine[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })

    it.each(authKinds)('log in, push, pull, list and delete: $name', async (kind) => {
      await using registry = await kind.open()
      const failures: string[] = []
      for (const client of clientsOf(goods, engine)) {
        const home = await mkdtemp(path.join(folder, 'home-'))
        await writeFile(path.join(home, 'auth.json'), '{}')
        const repository = `${registry.host}/clients/${client.name.replaceAll(' ', '-')}`
        const place = { host: registry.host, repository, login: registry.login, folder: home }
        const { cell, said } = await useClient(client, place)
        matrix.set(client.name, kind.name, cell)
        failures.push(...said)
      }
      expect(failures).toEqual([])
    })
  },
)

/** Does all that the client can; a cell for the table, and what went wrong. */
async function useClient(
  client: Client,
  place: Place,
): Promise<{ readonly cell: string; readonly said: readonly string[] }> {
  const said: string[] = []
  let cell = ''
  for (const verb of verbs) {
    const work = verb === 'login' && place.login === undefined ? undefined : client.verbs[verb]
    try {
      await work?.(place)
      cell += work === undefined ? '·' : '✓'
    } catch (error) {
      said.push(`${client.name}, ${verb}: ${String(error)}`)
      cell += '✗'
    }
  }
  if (place.login === undefined) return { cell, said }
  // With a wrong secret it gets nowhere: the login proved something. (crane looks at no answer of a login.)
  const wrong = { ...place, login: { ...place.login, secret: 'not-this-one' } }
  const gotIn = await succeeds(async () => {
    await client.verbs.login?.(wrong)
    await client.verbs.push?.(wrong)
  })
  if (gotIn) said.push(`${client.name} pushed with a wrong secret`)
  return { cell: `${cell}${gotIn ? '✗' : '✓'}`, said }
}

async function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch {
    return false
  }
}

import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { startRegistry } from '../peers/registry.ts'
import { fillRegistry } from './fill-registry.ts'
import type { Catalog } from './fixtures.ts'
import { startSmallHub } from './small-hub.ts'
import { startSmallRegistry } from './small-registry.ts'

/** The registries of a sequence, filled. */
export interface Registries extends AsyncDisposable {
  /** `127.0.0.1:PORT` of the one open to all: the whole catalog. */
  readonly open: string
  /** `127.0.0.1:PORT` of the one with a password: `team/legacy` only. */
  readonly withPassword: string
  /** `127.0.0.1:PORT` of the one with Hub's search and no images. */
  readonly hub: string
  /** `127.0.0.1:PORT` of the one that is empty at first and takes pushes. */
  readonly empty: string
}

/** The user that the steps log in as. */
const USER = 'alice'
const PASSWORD = 'secret'

/** Starts real docker-registry programs. */
export async function startRealRegistries(catalog: Catalog, layout: string): Promise<Registries> {
  await using stack = new AsyncDisposableStack()
  const open = stack.use(await startRegistry())
  const withPassword = stack.use(await startRegistry({ users: { [USER]: PASSWORD } }))
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  await fillRegistry(open, catalog, layout)
  await fillRegistry(withPassword, legacyOnly(catalog), layout, authorization)
  const hub = stack.use(await startSmallHub())
  const empty = stack.use(await startRegistry())
  return keep(stack.move(), {
    open: open.host,
    withPassword: withPassword.host,
    hub: hub.host,
    empty: empty.host,
  })
}

/** Starts registries in this process: no other program is needed. */
export async function startSmallRegistries(catalog: Catalog): Promise<Registries> {
  await using stack = new AsyncDisposableStack()
  const open = stack.use(await startSmallRegistry(catalog))
  const credentials = `${USER}:${PASSWORD}`
  const withPassword = stack.use(await startSmallRegistry(legacyOnly(catalog), { credentials }))
  const hub = stack.use(await startSmallHub())
  const empty = stack.adopt(await serveRegistry({ storage: await openMemoryStorage() }), (one) =>
    one.close(),
  )
  return keep(stack.move(), {
    open: open.host,
    withPassword: withPassword.host,
    hub: hub.host,
    empty: empty.host,
  })
}

function keep(
  stack: AsyncDisposableStack,
  hosts: Omit<Registries, typeof Symbol.asyncDispose>,
): Registries {
  return { ...hosts, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

function legacyOnly(catalog: Catalog): Catalog {
  const entries = catalog.entries.filter((entry) => entry.repository === 'team/legacy')
  return { ...catalog, entries }
}

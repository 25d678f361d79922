import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Clock } from '../src/clock.ts'
import { type Credential, noCredentials } from '../src/credential.ts'
import { createRemote, type RemoteOptions } from '../src/remote.ts'
import type { RemoteRepository } from '../src/repository.ts'
import { defaultSettings } from '../src/settings.ts'
import type { UploadLedger } from '../src/upload-ledger.ts'

/** A clock on which sleeping is free and recorded. */
export function fakeClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = []
  let now = 1_700_000_000_000
  return {
    waits,
    now: () => now,
    random: () => 0.5,
    async sleep(ms) {
      waits.push(ms)
      now += ms
    },
  }
}

export interface OpenedRepository extends AsyncDisposable {
  readonly repository: RemoteRepository
}

/** `team/demo` of a registry, by a client of its own. */
export function openRepository(
  registry: { readonly host: string },
  options: Partial<RemoteOptions> & {
    readonly credential?: Credential
    readonly uploadLedger?: UploadLedger
  } = {},
): OpenedRepository {
  const { credential } = options
  const remote = createRemote({
    settings: defaultSettings,
    credentials: credential === undefined ? noCredentials : { get: async () => credential },
    userAgent: 'katman-test',
    clock: fakeClock(),
    ...options,
  })
  return {
    repository: remote.repository({ registry: registry.host, repository: 'team/demo' }, options),
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  }
}

export async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes))
}

export interface Folder extends AsyncDisposable {
  readonly path: string
}

/** A temporary folder with these files. */
export async function createFolder(files: Readonly<Record<string, string>> = {}): Promise<Folder> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-remote-'))
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, content)
  }
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

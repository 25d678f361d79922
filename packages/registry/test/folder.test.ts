import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Digest, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { openFolderStorage } from '../src/index.ts'
import {
  addImage,
  codesOf,
  digestOf,
  makeFolder,
  startRegistry,
  streamed,
  type TestRegistry,
} from './support.ts'

describe('openFolderStorage', () => {
  it('shows all of it again after a restart', async () => {
    await using root = await createRoot()
    const subject = digestOf('subject')
    let digest: Digest
    let before: string
    {
      await using registry = await startRegistry('memory', {
        storage: await openFolderStorage(root.path),
      })
      digest = await addImage(registry, 'team/app', '1.0')
      const response = await registry.send('GET', 'team/app/manifests/1.0')
      const document = {
        ...Object(await response.json()),
        subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 },
      }
      await registry.addManifest('team/app', 'refers', document)
      before = await everything(registry, subject)
    }
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    expect(await everything(registry, subject)).toBe(before)
    expect(before).toContain(`1.0 ${digest}`)
  })

  it('goes on with an upload after a kill in the middle of it', async () => {
    await using root = await createRoot()
    const content = Buffer.alloc(3_000_000, 'content ')
    const digest = digestOf(content)
    let session: string
    {
      await using server = await startProcess(root.path)
      session = await begin(server.url)
      const sent = fetch(server.url + session, {
        method: 'PATCH',
        ...streamed(pieces(content, 2_000_000)),
      }).catch((error: unknown) => error)
      while ((await position(server.url, session)) < 1_999_999);
      await server.kill()
      expect(await sent).toBeInstanceOf(Error)
    }
    expect((await filesIn(root.path)).filter((file) => file.includes('blobs'))).toEqual([])
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    expect((await registry.send('HEAD', `app/blobs/${digest}`)).status).toBe(404)
    const start = (await position(registry.url, session)) + 1
    expect(start).toBe(2_000_000)
    const done = await fetch(`${registry.url}${session}?digest=${digest}`, {
      method: 'PUT',
      headers: { 'content-range': `${start}-${content.byteLength - 1}` },
      body: content.subarray(start),
    })
    expect(done.status).toBe(201)
    const response = await registry.send('GET', `app/blobs/${digest}`)
    expect(digestOf(Buffer.from(await response.arrayBuffer()))).toBe(digest)
  })

  it('has kept all that was acknowledged, and nothing broken, whenever it is killed', async () => {
    await using root = await createRoot()
    for (const pushes of [3, 10, 25]) {
      const acknowledged = new Map<string, Digest>()
      await using server = await startProcess(root.path)
      const pushing = pushImages(server.url, acknowledged)
      while (acknowledged.size < pushes) await new Promise(setImmediate)
      await server.kill()
      await pushing
      await using registry = await startRegistry('memory', {
        storage: await openFolderStorage(root.path),
      })
      for (const [tag, digest] of acknowledged) {
        const response = await registry.send('GET', `app/manifests/${tag}`)
        expect(response.headers.get('docker-content-digest')).toBe(digest)
        expect(digestOf(await response.text())).toBe(digest)
      }
    }
    for (const file of await filesIn(root.path)) {
      const name = path.basename(file).replace('-', ':')
      const content = await readFile(path.join(root.path, file))
      if (file.includes('/blobs/')) expect(digestOf(content)).toBe(name)
      if (file.includes('/manifests/')) {
        expect(digestOf(content.subarray(content.indexOf('\n') + 1))).toBe(name)
      }
      if (file.includes('/tags/')) expect(content.toString()).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    }
  })

  it('leaves no file of a push that failed', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    const wrong = await registry.send('POST', `app/blobs/uploads/?digest=${digestOf('x')}`, {
      body: 'y',
    })
    expect(wrong.status).toBe(400)
    expect(await filesIn(root.path)).toEqual(['version'])
  })

  it('says nothing of its folder when the disk fails', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    await writeFile(path.join(root.path, 'repositories', 'app'), 'in the way')
    const response = await registry.send('POST', `app/blobs/uploads/?digest=${digestOf('x')}`, {
      body: 'x',
    })
    expect(response.status).toBe(500)
    expect(await response.clone().text()).not.toContain(root.path)
    expect(await codesOf(response)).toEqual(['UNKNOWN'])
    expect(await filesIn(root.path)).toEqual(['repositories/app', 'version'])
  })

  it('forgets uploads that nobody went on with for a day', async () => {
    await using root = await createRoot()
    const storage = await openFolderStorage(root.path)
    const [old, young] = [await storage.uploads.create('app'), await storage.uploads.create('app')]
    const yesterday = Date.now() / 1000 - 25 * 3600
    await utimes(path.join(root.path, 'uploads/app', old.id), yesterday, yesterday)
    const again = await openFolderStorage(root.path)
    expect(await again.uploads.find('app', old.id)).toBeUndefined()
    expect(await again.uploads.find('app', young.id)).toMatchObject({ id: young.id, size: 0 })
  })

  it('forgets them while it runs, too', async () => {
    await using root = await createRoot()
    let now = Date.now()
    const storage = await openFolderStorage(root.path, { now: () => now })
    const [first, second] = [
      await storage.uploads.create('app'),
      await storage.uploads.create('app'),
    ]
    now += 25 * 3600_000
    await utimes(path.join(root.path, 'uploads/app', second.id), now / 1000, now / 1000)
    await storage.uploads.create('app')
    expect(await storage.uploads.find('app', first.id)).toBeUndefined()
    expect(await storage.uploads.find('app', second.id)).toBe(second)
  })

  it('mounts without a copy', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    const digest = await registry.addBlob('from/here', 'content')
    await registry.send('POST', `app/blobs/uploads/?mount=${digest}&from=from/here`)
    const file = (folder: string): string =>
      path.join(root.path, 'repositories', folder, 'blobs', digest.replace(':', '-'))
    expect((await stat(file('app'))).ino).toBe((await stat(file('from+here'))).ino)
  })

  it('refuses a folder of another version', async () => {
    await using root = await createRoot()
    await writeFile(path.join(root.path, 'version'), 'katman registry folder 9\n')
    await expect(openFolderStorage(root.path)).rejects.toMatchObject({ code: 'STORAGE_INVALID' })
  })
})

async function createRoot(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await makeFolder()
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What a client can learn of `team/app`. */
async function everything(registry: TestRegistry, subject: Digest): Promise<string> {
  const paths = ['_catalog', 'team/app/tags/list', 'team/app/manifests/1.0']
  const answers = [...paths, `team/app/referrers/${subject}`].map(async (target) => {
    const response = await registry.send('GET', target)
    const { headers } = response
    const facts = `${headers.get('docker-content-digest')} ${headers.get('content-type')}`
    return `${target} ${facts} ${await response.text()}`
  })
  return (await Promise.all(answers)).join('\n')
}

interface ServerProcess extends AsyncDisposable {
  readonly url: string
  kill(): Promise<void>
}

async function startProcess(root: string): Promise<ServerProcess> {
  const script = path.join(import.meta.dirname, 'serve-folder.ts')
  const child: ChildProcess = spawn(process.execPath, [script, root], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let output = ''
  for await (const chunk of child.stdout ?? []) {
    output += String(chunk)
    if (output.endsWith('\n')) break
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { url: `http://${output.trim()}`, kill, [Symbol.asyncDispose]: kill }
}

async function begin(url: string): Promise<string> {
  const response = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' })
  return response.headers.get('location') ?? ''
}

/** The last byte an upload has. */
async function position(url: string, session: string): Promise<number> {
  const response = await fetch(url + session)
  return Number(response.headers.get('range')?.split('-')[1])
}

/** The first bytes, and then none for ever. */
async function* pieces(content: Buffer, count: number): AsyncIterable<Uint8Array> {
  yield content.subarray(0, count)
  await new Promise(() => {})
}

/** Pushes images one after the other until the registry is gone. */
async function pushImages(url: string, acknowledged: Map<string, Digest>): Promise<void> {
  const push = async (target: string, method: string, body: string): Promise<boolean> => {
    const headers = { 'content-type': mediaTypes.ociManifest }
    const response = await fetch(`${url}/v2/app/${target}`, { method, headers, body })
    return response.status === 201
  }
  try {
    for (let count = 0; ; count++) {
      const config = `{"count":${count}}`
      const digest = digestOf(config)
      await push(`blobs/uploads/?digest=${digest}`, 'POST', config)
      const text = JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: mediaTypes.ociConfig, digest, size: config.length },
        layers: [],
      })
      const tag = `tag-${count}`
      if (await push(`manifests/${tag}`, 'PUT', text)) acknowledged.set(tag, digestOf(text))
    }
  } catch {
    // Killed.
  }
}

/** Every file, by its path in the folder. */
async function filesIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .toSorted()
}

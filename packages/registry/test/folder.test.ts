import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Digest, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { expireUploads, openFolderStorage } from '../src/index.ts'
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
      // What another process sees is written down.
      await using watching = await startRegistry('memory', {
        storage: await openFolderStorage(root.path),
      })
      while ((await position(watching.url, session)) < 1_999_999);
      await server.kill()
      expect(await sent).toBeInstanceOf(Error)
    }
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
    const large = await registry.send('POST', `app/blobs/uploads/?digest=${digestOf('x')}`, {
      body: Buffer.alloc(300_000, 'y'),
    })
    expect(large.status).toBe(400)
    expect(await objectsIn(root.path)).toEqual([])
  })

  it('says nothing of its folder when the disk fails', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    await rm(path.join(root.path, 'objects', 'incoming'), { recursive: true })
    const content = Buffer.alloc(300_000, 'x')
    const response = await registry.send('POST', `app/blobs/uploads/?digest=${digestOf(content)}`, {
      body: content,
    })
    expect(response.status).toBe(500)
    expect(await response.clone().text()).not.toContain(root.path)
    expect(await codesOf(response)).toEqual(['UNKNOWN'])
  })

  it('forgets uploads that nobody went on with', async () => {
    await using root = await createRoot()
    await using storage = await openFolderStorage(root.path)
    let now = 1_000_000
    await using registry = await startRegistry('memory', { storage, registry: { now: () => now } })
    const sessions: string[] = []
    for (const size of [10, 300_000]) {
      const begun = await registry.send('POST', 'app/blobs/uploads/')
      const session = (begun.headers.get('location') ?? '').replace('/v2/', '')
      await registry.send('PATCH', session, { body: Buffer.alloc(size) })
      sessions.push(session)
    }
    expect(await objectsIn(root.path)).toHaveLength(1)
    now += 1000
    const young = await registry.send('POST', 'app/blobs/uploads/')
    expect(await expireUploads(storage, now)).toBe(2)
    expect(await expireUploads(storage, now)).toBe(0)
    expect(await objectsIn(root.path)).toEqual([])
    for (const session of sessions) expect((await registry.send('GET', session)).status).toBe(404)
    const left = (young.headers.get('location') ?? '').replace('/v2/', '')
    expect((await registry.send('GET', left)).status).toBe(204)
  })

  it('lets a client begin again when a power cut took bytes of its upload', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    const content = Buffer.alloc(300_000, 'content')
    for (const request of ['PATCH', 'PUT'] as const) {
      const session = (await begin(registry.url)).replace('/v2/', '')
      await registry.send('PATCH', session, { body: content.subarray(0, 200_000) })
      const [key = ''] = await readdir(path.join(root.path, 'objects/incoming'))
      await truncate(path.join(root.path, 'objects/incoming', key), 150_000)
      const target = request === 'PUT' ? `${session}?digest=${digestOf(content)}` : session
      const response = await registry.send(request, target, { body: content.subarray(200_000) })
      expect([response.status, await codesOf(response)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']])
      expect((await registry.send('GET', session)).status).toBe(404)
      expect(await objectsIn(root.path)).toEqual([])
    }
  })

  it('hashes again what it did not flush before the machine was switched off', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    const content = Buffer.alloc(300_000, 'content')
    for (const isDamaged of [true, false]) {
      const session = (await begin(registry.url)).replace('/v2/', '')
      await registry.send('PATCH', session, { body: content })
      const [key = ''] = await readdir(path.join(root.path, 'objects/incoming'))
      if (isDamaged) {
        // A block that did not come to the disk.
        const file = await open(path.join(root.path, 'objects/incoming', key), 'r+')
        await file.write(Buffer.alloc(4096), 0, 4096, 8192)
        await file.close()
      }
      await using storage = await openFolderStorage(root.path)
      await storage.database.run(
        `UPDATE uploads SET state = REPLACE(state, '"boot":"', '"boot":"before-')`,
      )
      const response = await registry.send('PUT', `${session}?digest=${digestOf(content)}`)
      expect(response.status).toBe(isDamaged ? 400 : 201)
    }
  })

  it('keeps one copy of what is pushed or mounted to many repositories', async () => {
    await using root = await createRoot()
    await using registry = await startRegistry('memory', {
      storage: await openFolderStorage(root.path),
    })
    const content = Buffer.alloc(300_000, 'content')
    const digest = await registry.addBlob('from/here', content)
    await registry.addBlob('pushed', content)
    await registry.send('POST', `app/blobs/uploads/?mount=${digest}&from=from/here`)
    expect((await registry.send('HEAD', `app/blobs/${digest}`)).status).toBe(200)
    expect(await objectsIn(root.path)).toHaveLength(1)
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

/** The files that hold bytes of blobs. */
async function objectsIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(path.join(root, 'objects'), {
    recursive: true,
    withFileTypes: true,
  })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

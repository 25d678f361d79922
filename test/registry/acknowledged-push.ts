import { createHash } from 'node:crypto'

/** What a registry said yes to, and so has to keep. */
export interface Acknowledged {
  /** By `REPOSITORY/blobs/DIGEST` and `REPOSITORY/manifests/REFERENCE`: the bytes. */
  readonly content: Map<string, Buffer>
  /** What was removed, by the same names. */
  readonly removed: Set<string>
  /** What was asked for and not answered: it may have happened or not. Without bytes: a removal. */
  asked?: { readonly name: string; readonly bytes?: Buffer } | undefined
}

export function nothingAcknowledged(): Acknowledged {
  return { content: new Map(), removed: new Set() }
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json'

/**
 * A push with every kind of request that changes something, one after the other: a blob in one request, in two and in
 * chunks, a mount, a manifest by tag, a second one under the same tag, an artifact, removals. Notes each yes. Throws
 * when the registry goes away.
 */
export async function pushEverything(
  host: string,
  seed: string,
  said: Acknowledged,
): Promise<void> {
  const send = async (method: string, target: string, status: number, init: RequestInit = {}) => {
    const url = new URL(target, `http://${host}/v2/`)
    const response = await fetch(url, { ...init, method })
    const text = await response.text()
    if (response.status !== status)
      throw new Error(`${method} ${url.href}: ${response.status} ${text}`)
    return response
  }
  const octets = { 'content-type': 'application/octet-stream' }
  const begin = async (query = ''): Promise<string> => {
    const response = await send('POST', `crash/app/blobs/uploads/${query}`, 202)
    return response.headers.get('location') ?? ''
  }
  const close = (location: string, digest: string): string =>
    `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
  const keep = (name: string, bytes: Buffer): void => {
    said.content.set(name, bytes)
    said.removed.delete(name)
    said.asked = undefined
  }
  const remove = async (name: string): Promise<void> => {
    said.asked = { name }
    await send('DELETE', name, 202)
    said.asked = undefined
    said.content.delete(name)
    said.removed.add(name)
  }
  const putManifest = async (reference: string, document: object): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(document))
    const target = `crash/app/manifests/${reference === 'digest' ? digestOf(bytes) : reference}`
    said.asked = { name: target, bytes }
    await send('PUT', target, 201, { headers: { 'content-type': ociManifest }, body: bytes })
    keep(target, bytes)
    keep(`crash/app/manifests/${digestOf(bytes)}`, bytes)
    return { mediaType: ociManifest, digest: digestOf(bytes), size: bytes.length }
  }

  const config = bytesOf(`${seed} config`, 2_000)
  const single = digestOf(config)
  await send('POST', `crash/app/blobs/uploads/?digest=${single}`, 201, {
    headers: octets,
    body: config,
  })
  keep(`crash/app/blobs/${single}`, config)

  const layer = bytesOf(`${seed} layer`, 200_000)
  const whole = digestOf(layer)
  await send('PUT', close(await begin(), whole), 201, { headers: octets, body: layer })
  keep(`crash/app/blobs/${whole}`, layer)

  const parts = bytesOf(`${seed} parts`, 150_000)
  let location = await begin()
  for (const [start, end] of [
    [0, 70_000],
    [70_000, 140_000],
  ] as const) {
    const headers = { ...octets, 'content-range': `${start}-${end - 1}` }
    const body = parts.subarray(start, end)
    const response = await send('PATCH', location, 202, { headers, body })
    location = response.headers.get('location') ?? ''
  }
  const chunked = digestOf(parts)
  const last = parts.subarray(140_000)
  await send('PUT', close(location, chunked), 201, { headers: octets, body: last })
  keep(`crash/app/blobs/${chunked}`, parts)

  await send('POST', `crash/other/blobs/uploads/?mount=${whole}&from=crash/app`, 201)
  keep(`crash/other/blobs/${whole}`, layer)

  const image = (layers: readonly Descriptor[]): object => ({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: single, size: 2_000 },
    layers,
  })
  const descriptor = (digest: string, size: number): Descriptor => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest,
    size,
  })
  const first = await putManifest('latest', image([descriptor(whole, 200_000)]))
  await putManifest('going', image([descriptor(chunked, 150_000)]))
  await putManifest('latest', image([descriptor(whole, 200_000), descriptor(chunked, 150_000)]))
  await putManifest('digest', { ...image([]), subject: first, artifactType: 'text/note' })
  await remove('crash/app/manifests/going')
  await remove(`crash/other/blobs/${whole}`)
}

/** Everything that is not as it was acknowledged. */
export async function findLost(host: string, said: Acknowledged): Promise<readonly string[]> {
  const lost: string[] = []
  const { asked } = said
  for (const name of [...said.content.keys(), ...said.removed]) {
    const response = await fetch(`http://${host}/v2/${name}`, { headers: { accept: ociManifest } })
    const got = Buffer.from(await response.arrayBuffer())
    const isLike = (bytes: Buffer | undefined): boolean =>
      bytes === undefined ? response.status === 404 : response.ok && got.equals(bytes)
    const isAsked = asked?.name === name && isLike(asked.bytes)
    if (!isLike(said.content.get(name)) && !isAsked) lost.push(`${name}: ${response.status}`)
  }
  return lost
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Bytes that no compression and no other seed gives. */
function bytesOf(seed: string, size: number): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < size; at += 64) {
    pieces.push(createHash('sha512').update(`${seed} ${at}`).digest())
  }
  return Buffer.concat(pieces).subarray(0, size)
}

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { digestOf } from './facts.ts'

/** Writes an OCI layout with one image of many small layers under `tag`; two of its layers are the same blob. */
export async function writeLayeredImage(folder: string, tag: string, count: number): Promise<void> {
  const blobs = path.join(folder, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const put = async (mediaType: string, bytes: Uint8Array): Promise<Descriptor> => {
    const digest = digestOf(bytes)
    await writeFile(path.join(blobs, digest.slice('sha256:'.length)), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const putJson = (mediaType: string, value: unknown): Promise<Descriptor> =>
    put(mediaType, Buffer.from(JSON.stringify(value)))

  const layers: Descriptor[] = []
  const diffIDs: string[] = []
  for (let number = 0; number < count; number++) {
    // The last repeats the first, as a build that copies the same file twice does.
    const own = number === count - 1 ? 0 : number
    const tar = tarBytes([
      { name: 'steps', type: 'directory' },
      { name: `steps/${own}`, content: `step ${own}\n`.repeat(200 + own) },
    ])
    diffIDs.push(digestOf(tar))
    layers.push(await put(`${oci}.layer.v1.tar+gzip`, gzipSync(tar)))
  }
  const config = await putJson(`${oci}.config.v1+json`, {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-05-01T10:00:00Z',
    config: { Cmd: ['/steps/0'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: diffIDs },
    history: diffIDs.map((_, number) => ({
      created: '2024-05-01T10:00:00Z',
      created_by: `RUN step ${number}`,
    })),
  })
  const mediaType = `${oci}.manifest.v1+json`
  const manifest = await putJson(mediaType, { schemaVersion: 2, mediaType, config, layers })
  const annotations = { 'org.opencontainers.image.ref.name': tag }
  await writeFile(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(
    path.join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
}

const oci = 'application/vnd.oci.image'

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

import { crc32 } from 'node:zlib'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isConfigType,
  type Manifest,
  parseManifest,
} from '@katman/oci'
import type { Change, ChangeListener } from '../change.ts'
import type { Transaction } from '../database/database.ts'

/** One image of a tag as Docker Hub shows it; the times are added when it is shown. */
export interface RecordedImage {
  readonly architecture: string
  readonly os: string
  readonly variant: string | null
  readonly osVersion: string | null
  readonly osFeatures: string
  readonly digest: string
  /** Of its layers. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly pushedAt: number
}

/** An index with more is shown with so many. */
const maxImages = 100
/** So many pushes to one repository can count their tags at once. */
const shards = 16
const unknown = 'unknown'

/**
 * Writes down what a manifest holds as it is pushed, and who moved a tag, so that a list of a hundred thousand tags needs no
 * manifest to be read.
 */
export const recordImages: ChangeListener = async (transaction, change) => {
  const { id } = change.repository
  switch (change.kind) {
    case 'manifest-put':
      if (change.isNew) await recordManifest(transaction, change)
      break
    case 'manifest-deleted':
      await transaction.run(forgetImages, [id, change.digest])
      await transaction.run(forgetPulls, [id, change.digest])
      break
    case 'tag-set':
      await transaction.run(rememberPush, [id, change.tag, change.actor ?? null, change.at])
      if (change.previous === undefined) await countTag(transaction, id, change.tag, 1)
      break
    case 'tag-deleted':
      await transaction.run(forgetPush, [id, change.tag])
      await countTag(transaction, id, change.tag, -1)
      await transaction.run(forgetPulls, [id, change.tag])
      break
    default:
  }
}

async function countTag(
  transaction: Transaction,
  repositoryId: number,
  tag: string,
  count: number,
): Promise<void> {
  await transaction.run(addTags, [repositoryId, crc32(tag) % shards, count])
}

async function recordManifest(
  transaction: Transaction,
  { repository, digest, mediaType, at }: Change & { readonly kind: 'manifest-put' },
): Promise<void> {
  const row = await transaction.get<{ readonly bytes: Uint8Array }>(manifestBytes, [
    repository.id,
    digest,
  ])
  if (row === undefined) return
  const document = parseManifest(row.bytes, mediaType)
  const images =
    document.kind === 'index'
      ? await describeIndex(transaction, repository.id, childrenOf(document))
      : [await describeImage(transaction, repository.id, document, { digest, pushedAt: at })]
  await transaction.run(rememberImages, [
    repository.id,
    digest,
    contentType(document.kind === 'index' ? images : document.config.mediaType),
    shownSize(images),
    JSON.stringify(images),
  ])
}

async function describeImage(
  transaction: Transaction,
  repositoryId: number,
  { config, layers }: Manifest,
  { digest, pushedAt }: { readonly digest: Digest; readonly pushedAt: number },
): Promise<RecordedImage> {
  // The platform is in the config. A small blob is in the database; a huge config tells nothing.
  const blob = isConfigType(config.mediaType)
    ? await transaction.get<{ readonly data: Uint8Array | null }>(blobData, [
        repositoryId,
        config.digest,
      ])
    : undefined
  const platform = blob?.data ? readPlatform(blob.data) : {}
  return {
    architecture: platform.architecture ?? unknown,
    os: platform.os ?? unknown,
    variant: platform.variant ?? null,
    osVersion: platform['os.version'] ?? null,
    osFeatures: '',
    digest,
    size: layers.reduce((sum, { size }) => sum + size, 0),
    pushedAt,
  }
}

async function describeIndex(
  transaction: Transaction,
  repositoryId: number,
  children: readonly Descriptor[],
): Promise<readonly RecordedImage[]> {
  const images: RecordedImage[] = []
  for (const { digest, platform } of children.slice(0, maxImages)) {
    const child = await transaction.get<ChildRow>(childRow, [repositoryId, digest])
    const [own] = child?.images ? readImages(child.images) : []
    images.push({
      architecture: platform?.architecture ?? own?.architecture ?? unknown,
      os: platform?.os ?? own?.os ?? unknown,
      variant: platform?.variant ?? own?.variant ?? null,
      osVersion: platform?.osVersion ?? own?.osVersion ?? null,
      osFeatures: platform?.osFeatures?.join(',') ?? '',
      digest,
      size: child?.full_size ?? 0,
      pushedAt: child?.created_at ?? 0,
    })
  }
  return images
}

interface ChildRow {
  readonly images: string | null
  readonly full_size: number | null
  readonly created_at: number
}

/** What `recordImages` wrote. */
export function readImages(text: string): readonly RecordedImage[] {
  return JSON.parse(text) as readonly RecordedImage[]
}

/** Of several platforms the one most ask for. */
function shownSize(images: readonly RecordedImage[]): number {
  const usual = images.find(({ os, architecture }) => os === 'linux' && architecture === 'amd64')
  return (usual ?? images[0])?.size ?? 0
}

function contentType(config: string | readonly RecordedImage[]): string {
  if (typeof config !== 'string' || isConfigType(config)) return 'image'
  if (config === 'application/vnd.cncf.helm.config.v1+json') return 'helm'
  return config === 'application/vnd.docker.plugin.v1+json' ? 'plugin' : 'unrecognized'
}

type Platform = Partial<Record<(typeof platformKeys)[number], string>>

const platformKeys = ['architecture', 'os', 'variant', 'os.version'] as const

function readPlatform(bytes: Uint8Array): Platform {
  try {
    const config: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof config !== 'object' || config === null) return {}
    const platform: Platform = {}
    for (const key of platformKeys) {
      const value: unknown = Reflect.get(config, key)
      if (typeof value === 'string' && value !== '') platform[key] = value.slice(0, 100)
    }
    return platform
  } catch {
    // A config may be anything; then it has no platform.
    return {}
  }
}

const manifestBytes = 'SELECT bytes FROM manifests WHERE repository_id = ? AND digest = ?'

/** Of its own repository: what it names may be another's. */
const blobData = `SELECT blobs.data FROM blobs JOIN repository_blobs USING (digest)
  WHERE repository_blobs.repository_id = ? AND blobs.digest = ?`

const childRow = `SELECT manifest_images.images, manifest_images.full_size, manifests.created_at
  FROM manifests LEFT JOIN manifest_images USING (repository_id, digest)
  WHERE manifests.repository_id = ? AND manifests.digest = ?`

const rememberImages = `INSERT INTO manifest_images (repository_id, digest, content_type, full_size, images)
  VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository_id, digest) DO NOTHING`

const forgetImages = 'DELETE FROM manifest_images WHERE repository_id = ? AND digest = ?'

const rememberPush = `INSERT INTO tag_pushes (repository_id, name, pushed_by, pushed_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (repository_id, name) DO UPDATE SET pushed_by = excluded.pushed_by, pushed_at = excluded.pushed_at`

const addTags = `INSERT INTO tag_counts (repository_id, shard, count) VALUES (?, ?, ?)
  ON CONFLICT (repository_id, shard) DO UPDATE SET count = tag_counts.count + excluded.count`

const forgetPush = 'DELETE FROM tag_pushes WHERE repository_id = ? AND name = ?'

const forgetPulls = 'DELETE FROM pulls WHERE repository_id = ? AND target = ?'

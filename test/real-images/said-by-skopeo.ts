import { parseImageConfig, parseManifest, type Platform } from '@katman/oci'
import { createHash } from 'node:crypto'
import { runChecked } from '../peers/terminal.ts'

/** One image of one platform, as skopeo reads it from a registry. */
export interface PeerImage {
  readonly platform: Platform
  /** `HOST/library/alpine@sha256:…`, the manifest. */
  readonly byDigest: string
  /** Digest of the config. */
  readonly id: string
  readonly layers: readonly string[]
  readonly diffIDs: readonly string[]
  /** The instructions, newest first. */
  readonly createdBy: readonly string[]
}

/** What a tag stands for: its digest, and the image of every platform. */
export interface PeerTag {
  /** `HOST/library/alpine:3.20` */
  readonly reference: string
  readonly digest: string
  readonly isIndex: boolean
  readonly images: readonly PeerImage[]
}

/** Reads a tag by skopeo, without a hand of Katman in what is fetched. */
export async function inspectBySkopeo(reference: string): Promise<PeerTag> {
  const raw = await skopeo('--raw', reference)
  const digest = digestOf(raw)
  const repository = reference.slice(0, reference.lastIndexOf(':'))
  const type: unknown = JSON.parse(raw)
  const document = parseManifest(Buffer.from(raw), mediaTypeOf(type))
  const manifests =
    document.kind === 'index' ? document.manifests.map((one) => one.digest) : [digest]
  const images: PeerImage[] = []
  for (const manifest of manifests) {
    images.push(await inspectImage(`${repository}@${manifest}`))
  }
  return { reference, digest, isIndex: document.kind === 'index', images }
}

async function inspectImage(byDigest: string): Promise<PeerImage> {
  const raw = await skopeo('--raw', byDigest)
  const document = parseManifest(Buffer.from(raw), mediaTypeOf(JSON.parse(raw)))
  if (document.kind === 'index') throw new TypeError(`${byDigest} is an index`)
  const config = parseImageConfig(Buffer.from(await skopeo('--config', '--raw', byDigest)))
  return {
    platform: config.platform,
    byDigest,
    id: document.config.digest,
    layers: document.layers.map((layer) => layer.digest),
    diffIDs: config.diffIDs,
    createdBy: config.history.map((step) => step.createdBy ?? '').toReversed(),
  }
}

async function skopeo(...words: readonly string[]): Promise<string> {
  const reference = words.at(-1) ?? ''
  const flags = words.slice(0, -1)
  const call = ['inspect', '--tls-verify=false', ...flags, `docker://${reference}`]
  return (await runChecked('/usr/bin/skopeo', call)).stdout
}

function mediaTypeOf(document: unknown): string {
  const type =
    document instanceof Object && 'mediaType' in document ? document.mediaType : undefined
  if (typeof type !== 'string') throw new TypeError('a document without a media type')
  return type
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

import type { ServerResponse } from 'node:http'
import { type Descriptor, type Digest, mediaTypes, parseDigest, referrersTag } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MemoryRegistry, startMemoryRegistry } from '../test/memory-registry.ts'
import { type OpenedRepository, openRepository } from '../test/support.ts'

let registry: MemoryRegistry
let opened: OpenedRepository
beforeEach(async () => {
  registry = await startMemoryRegistry()
  opened = openRepository(registry)
})
afterEach(async () => {
  await opened[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const subject: { readonly digest: Digest } = { digest: parseDigest(`sha256:${'a'.repeat(64)}`) }
const path = `/v2/team/demo/referrers/${subject.digest}`
const entry = (letter: string, artifactType = 'application/x'): Descriptor => ({
  mediaType: mediaTypes.ociManifest,
  digest: parseDigest(`sha256:${letter.repeat(64)}`),
  size: 7,
  artifactType,
})
const indexOf = (...manifests: readonly Descriptor[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })

function answer(response: ServerResponse, body: string, headers = {}, status = 200): boolean {
  response.writeHead(status, { 'content-type': mediaTypes.ociIndex, ...headers }).end(body)
  return true
}

describe('referrers of a repository', () => {
  it('follows the pages to their end, lists each once, and filters what the registry does not', async () => {
    registry.intercept = ({ url }, response) => {
      if (url === `${path}?artifactType=application%2Fx`) {
        return answer(response, indexOf(entry('b'), entry('c', 'application/y')), {
          link: `<${path}?page=2>; rel="next"`,
        })
      }
      if (url === `${path}?page=2`) return answer(response, indexOf(entry('b'), entry('d')))
      return false
    }
    const call = { artifactType: 'application/x' }
    expect(await opened.repository.referrers(subject, call)).toEqual([entry('b'), entry('d')])
  })

  it('takes the tagged index where the registry keeps no list, and nothing where there is none', async () => {
    expect(await opened.repository.referrers(subject)).toEqual([])
    registry.addManifest(
      JSON.parse(indexOf(entry('b'), entry('c', 'application/y'))),
      mediaTypes.ociIndex,
      `team/demo:${referrersTag(subject.digest)}`,
    )
    const found = await opened.repository.referrers(subject, { artifactType: 'application/y' })
    expect(found).toEqual([entry('c', 'application/y')])
    expect(registry.requests.at(-1)).toBe(`GET /v2/team/demo/manifests/sha256-${'a'.repeat(64)}`)
  })

  it.each([
    ['a list that is no index', '{"schemaVersion":2}', 'MANIFEST_INVALID'],
    ['a list larger than 4 MiB', ' '.repeat(4 * 1024 * 1024 + 1), 'RESPONSE_INVALID'],
    ['no JSON', 'x', 'JSON_INVALID'],
  ])('refuses %s', async (_, body, code) => {
    registry.intercept = ({ url }, response) => url === path && answer(response, body)
    await expect(opened.repository.referrers(subject)).rejects.toMatchObject({ code })
  })

  it('refuses pages that lead in a circle, to another host, or break off', async () => {
    const next = (link: string) => {
      registry.intercept = ({ url }, response) =>
        url === path && answer(response, indexOf(entry('b')), { link: `<${link}>; rel="next"` })
    }
    next(path)
    await expect(opened.repository.referrers(subject)).rejects.toThrow('never ends')
    next('http://127.0.0.1:1/v2/')
    await expect(opened.repository.referrers(subject)).rejects.toThrow('another host')
    next(`${path}?gone`)
    await expect(opened.repository.referrers(subject)).rejects.toThrow('breaks off')
  })

  it('tells a refusal instead of an empty list', async () => {
    registry.intercept = ({ url }, response) =>
      url === path &&
      answer(response, '{"errors":[{"code":"DENIED","message":"not for you"}]}', {}, 403)
    await expect(opened.repository.referrers(subject)).rejects.toMatchObject({ code: 'DENIED' })
  })
})

describe('the tagged index of referrers', () => {
  const tag = `/v2/team/demo/manifests/${referrersTag(subject.digest)}`
  const push = async (): Promise<Descriptor> => {
    const referrer = registry.addManifest(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { ...entry('e'), mediaType: 'application/x' },
        layers: [],
        subject: { ...entry('a') },
      },
      mediaTypes.ociManifest,
    )
    const { bytes } = registry.manifests.get(referrer.digest) ?? { bytes: Buffer.alloc(0) }
    const once = async function* () {
      yield bytes
    }
    await opened.repository.write(referrer, async () => once())
    return referrer
  }

  it('is written again when another client has overwritten it', async () => {
    let overwritten = 0
    registry.intercept = ({ method, url }, response) => {
      if (method !== 'PUT' || url !== tag || overwritten === 2) return false
      overwritten++
      response.writeHead(201).end()
      return true
    }
    const referrer = await push()
    expect(await opened.repository.referrers(subject)).toMatchObject([{ digest: referrer.digest }])
    expect(registry.requests.filter((one) => one === `PUT ${tag}`)).toHaveLength(3)
  })

  it('is given up with an error when it never stays', async () => {
    registry.intercept = ({ method, url }, response) => {
      if (method !== 'PUT' || url !== tag) return false
      response.writeHead(201).end()
      return true
    }
    await expect(push()).rejects.toMatchObject({ code: 'REFERRERS_CONFLICT' })
  })
})

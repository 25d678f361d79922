import { parseReference } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import type { Policy, Requirement } from './policy.ts'
import { fileSubject, registrySubject, requirementsFor } from './policy-scopes.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('registrySubject', () => {
  it('names the scopes from the image up to its host, then the wildcards above the host', () => {
    const { scopes } = registrySubject(parseReference('a.b.example:5000/team/sub/app:1'))
    expect(scopes).toEqual([
      'a.b.example:5000/team/sub/app:1',
      'a.b.example:5000/team/sub/app',
      'a.b.example:5000/team/sub',
      'a.b.example:5000/team',
      'a.b.example:5000',
      '*.b.example',
      '*.example',
    ])
  })

  it('spells names out, and a digest stands for the tag beside it', () => {
    const subject = registrySubject(parseReference(`alpine:3@${digest}`))
    expect(subject.scopes.slice(0, 2)).toEqual([
      `docker.io/library/alpine@${digest}`,
      'docker.io/library/alpine',
    ])
    expect(subject.reference).not.toHaveProperty('tag')
  })
})

describe('registrySubject of a bare name', () => {
  it('means the tag latest', () => {
    expect(registrySubject(parseReference('alpine')).scopes[0]).toBe(
      'docker.io/library/alpine:latest',
    )
  })
})

describe('fileSubject', () => {
  it('names the folders above, and nothing for docker archives', () => {
    expect(fileSubject('oci', '/images/app', { name: '1' }).scopes).toEqual([
      '/images/app:1',
      '/images/app',
      '/images',
    ])
    expect(fileSubject('docker-archive', '/images/app.tar').scopes).toEqual([])
  })
})

describe('requirementsFor', () => {
  const marked = (name: string): readonly Requirement[] => [
    { type: 'sigstoreSigned', keys: [{ file: name }], logs: [], identity: { type: 'matchExact' } },
  ]
  const policy = (scopes: readonly string[], transport = 'docker'): Policy => ({
    file: 'policy.json',
    default: marked('default'),
    transports: new Map([[transport, new Map(scopes.map((one) => [one, marked(one)]))]]),
  })
  const chosen = (scopes: readonly string[], transport?: string): unknown => {
    const subject = registrySubject(parseReference('reg.example/team/app:1'))
    return requirementsFor(policy(scopes, transport), subject)
  }

  it('takes the most specific scope alone', () => {
    const all = ['', '*.example', 'reg.example', 'reg.example/team', 'reg.example/team/app']
    const scopes = [...all, 'reg.example/team/app:1']
    for (let last = scopes.length; last > 0; last--) {
      const expected = scopes[last - 1] ?? ''
      expect(chosen(scopes.slice(0, last))).toEqual(marked(expected))
    }
  })

  it('takes the default when nothing speaks of the image', () => {
    expect(chosen([])).toEqual(marked('default'))
    expect(chosen(['reg.example/te', 'reg.example/team/app:2', '*.reg.example'])).toEqual(
      marked('default'),
    )
    expect(chosen([''], 'oci')).toEqual(marked('default'))
  })
})

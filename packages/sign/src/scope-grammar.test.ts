import { describe, expect, it } from 'vitest'
import { parsePolicy } from './policy-file.ts'

const digest = `sha256:${'a'.repeat(64)}`
const read = (transport: string, scope: string): unknown =>
  parsePolicy(
    Buffer.from(
      JSON.stringify({
        default: [{ type: 'reject' }],
        transports: { [transport]: { [scope]: [{ type: 'reject' }] } },
      }),
    ),
    'policy.json',
  )

describe('the scopes of a policy', () => {
  it.each([
    ['docker', 'registry.example'],
    ['docker', 'registry.example:5000'],
    ['docker', 'localhost/team'],
    ['docker', 'registry.example/team/app'],
    ['docker', 'registry.example/team/app:1'],
    ['docker', `registry.example/team/app@${digest}`],
    ['docker', 'docker.io/library/alpine:3'],
    ['docker', 'docker.io/library'],
    ['docker', '*.example'],
    ['oci', '/images/app:1'],
    ['oci-archive', '/images'],
    ['docker-archive', ''],
    ['docker-daemon', 'anything/'],
  ])('may be: %s %s', (transport, scope) => {
    expect(() => read(transport, scope)).not.toThrow()
  })

  it.each([
    ['docker', 'registry.example/team/'],
    ['docker', 'registry.example//team'],
    ['docker', 'registry.example/team:*'],
    ['docker', 'team/app'],
    ['docker', 'docker.io/alpine:3'],
    ['docker', 'index.docker.io'],
    ['docker', '*.example/team'],
    ['docker', 'https://registry.example'],
    ['oci', 'images'],
    ['oci', '/images/'],
    ['oci', '/images/../app'],
    ['oci', '/'],
    ['oci-archive', '/images//app'],
    ['docker-archive', '/images'],
  ])('that speak of no image refuse the whole file: %s %s', (transport, scope) => {
    expect(() => read(transport, scope)).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID' }) as Error,
    )
  })
})

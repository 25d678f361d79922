import { describe, expect, it } from 'vitest'
import { parsePolicy } from './policy-file.ts'

const parse = (document: unknown) => {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  return parsePolicy(Buffer.from(text), 'policy.json')
}
const accept = [{ type: 'insecureAcceptAnything' }]
/** A policy with one requirement. */
const withOne = (requirement: unknown): unknown => ({
  default: accept,
  transports: { docker: { 'registry.example': [requirement] } },
})
const signed = (fields: object): unknown => withOne({ type: 'sigstoreSigned', ...fields })
const named = (signedIdentity: unknown): unknown => signed({ keyPath: '/k', signedIdentity })

describe('parsePolicy', () => {
  it('reads what the format knows', () => {
    const policy = parse({
      default: [{ type: 'reject' }],
      transports: {
        docker: {
          '': accept,
          'registry.example/team': [
            { type: 'sigstoreSigned', keyPath: '/key.pub' },
            {
              type: 'sigstoreSigned',
              keyDatas: ['YQ==', 'Yg=='],
              signedIdentity: { type: 'matchRepository' },
            },
            { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/ring.gpg' },
          ],
        },
        'unknown-transport': { anything: accept },
      },
    })
    expect(policy.default).toEqual([{ type: 'reject' }])
    expect(policy.transports.get('docker')?.get('registry.example/team')).toEqual([
      {
        type: 'sigstoreSigned',
        keys: [{ file: '/key.pub' }],
        logs: [],
        identity: { type: 'matchRepoDigestOrExact' },
      },
      {
        type: 'sigstoreSigned',
        keys: [{ data: Buffer.from('a') }, { data: Buffer.from('b') }],
        logs: [],
        identity: { type: 'matchRepository' },
      },
      { type: 'signedBy' },
    ])
  })

  const fulcio = { caPath: '/ca.pem', oidcIssuer: 'https://issuer', subjectEmail: 'a@b' }
  const only = (policy: unknown): unknown =>
    parse(policy).transports.get('docker')?.get('registry.example')?.[0]

  const withFulcio = (more: object): unknown =>
    signed({ fulcio: { ...fulcio, ...more }, rekorPublicKeyPath: '/log.pub' })

  it('reads authorities and logs', () => {
    expect(only(signed({ fulcio, rekorPublicKeyPath: '/log.pub' }))).toMatchObject({
      keys: [],
      fulcio: { authority: { file: '/ca.pem' }, issuer: 'https://issuer', subject: 'a@b' },
      logs: [{ file: '/log.pub' }],
    })
    expect(only(signed({ keyPath: '/k', rekorPublicKeyDatas: ['YQ=='] }))).toMatchObject({
      keys: [{ file: '/k' }],
      logs: [{ data: Buffer.from('a') }],
    })
  })

  it('keeps what is not checked here as something that no image satisfies', () => {
    expect(only(signed({ pki: {} }))).toMatchObject({ keys: [], unsupported: 'pki' })
  })

  it.each([
    ['no default', {}],
    ['an empty list', { default: [] }],
    ['no list', { default: { type: 'reject' } }],
    ['another field', { default: accept, more: 1 }],
    ['a field of another case', { Default: accept }],
    ['a field twice', '{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}'],
    ['a comment', '{"default":[{"type":"reject"}] /* all */}'],
    ['an unknown type', withOne({ type: 'acceptAnything' })],
    ['no type', withOne({})],
    ['null', withOne(null)],
    ['a field beside reject', withOne({ type: 'reject', keyPath: '/k' })],
    ['no key', signed({})],
    ['two keys', signed({ keyPath: '/k', keyData: 'YQ==' })],
    ['an empty key', signed({ keyPath: '' })],
    ['no keys', signed({ keyPaths: [] })],
    ['a key that is no base64', signed({ keyData: '?' })],
    ['an unknown field of a signature', signed({ keyPath: '/k', keypath: '/k' })],
    ['two logs', signed({ keyPath: '/k', rekorPublicKeyPath: '/r', rekorPublicKeyData: 'YQ==' })],
    ['an authority without a log', signed({ fulcio })],
    ['an authority twice', withFulcio({ caData: 'YQ==' })],
    ['an authority without issuer', withFulcio({ oidcIssuer: '' })],
    ['an authority without subject', withFulcio({ subjectEmail: 5 })],
    ['an authority with more', withFulcio({ subject: 'x' })],
    ['an unknown identity', named({ type: 'matchAny' })],
    ['an identity with more', named({ type: 'matchExact', prefix: 'x' })],
    ['an exact reference without tag', named({ type: 'exactReference', dockerReference: 'a/b' })],
    ['no repository', named({ type: 'exactRepository' })],
    [
      'a prefix with a tag',
      named({ type: 'remapIdentity', prefix: 'a.b/c:1', signedPrefix: 'd.e' }),
    ],
    [
      'a prefix that is no host',
      named({ type: 'remapIdentity', prefix: 'a', signedPrefix: 'd.e' }),
    ],
    ['scopes that are no object', { default: accept, transports: { docker: [] } }],
  ])('refuses the whole file: %s', (_, document) => {
    expect(() => parse(document)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(?:POLICY|JSON)_INVALID$/) as string,
      }),
    )
  })
})

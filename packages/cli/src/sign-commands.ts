import { type Command, defineCommand } from './command.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

const annotationsFlag = {
  name: 'annotations',
  short: 'a',
  type: 'list',
  value: 'KEY=VALUE',
  check: (value) => (/^[^=]+=/.test(value) ? undefined : 'write KEY=VALUE'),
} as const satisfies Omit<FlagSpec, 'help'>

/** The commands that make and check signatures. */
export const signCommands: readonly Command[] = [
  defineCommand({
    path: ['generate-key-pair'],
    usage: '[OPTIONS]',
    summary: 'Make a key pair to sign images with',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      {
        name: 'output-key-prefix',
        type: 'string',
        default: 'katman',
        help: 'Files to write: PREFIX.key and PREFIX.pub',
      },
    ]),
    load: () => import('./commands/generate-key-pair.ts'),
  }),
  defineCommand({
    path: ['sign'],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Sign an image in its registry',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { ...annotationsFlag, help: 'Said beside (repeatable)' },
      {
        name: 'identity',
        type: 'string',
        help: 'Name to vouch for; default: the image as typed, without digest',
      },
      { name: 'key', type: 'string', help: 'Private key: a file, or env://VARIABLE' },
      {
        name: 'layout',
        type: 'string',
        default: 'both',
        help: "Where it goes: 'tag', 'bundle' (cosign 3) or 'both'",
        check: (value) =>
          ['tag', 'bundle', 'both'].includes(value)
            ? undefined
            : "choose 'tag', 'bundle' or 'both'",
      },
      {
        name: 'recursive',
        short: 'r',
        type: 'bool',
        help: 'Sign an index and every image in it',
      },
    ]),
    load: () => import('./commands/sign.ts'),
  }),
  defineCommand({
    path: ['verify'],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Check the signatures of an image',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { ...annotationsFlag, help: 'What a signature must say (repeatable)' },
      {
        name: 'bundle',
        type: 'string',
        help: 'Bundle to check instead of what lies in the registry',
      },
      {
        name: 'certificate-identity',
        type: 'string',
        help: 'Whom a certificate must name: an e-mail address or a URI, exactly',
      },
      {
        name: 'certificate-oidc-issuer',
        type: 'string',
        help: 'Who must have vouched for that, exactly',
      },
      { name: 'format', type: 'string', help: "'text' (default) or 'json'" },
      { name: 'identity', type: 'string', help: 'Name that a signature must vouch for' },
      {
        name: 'insecure-ignore-sct',
        type: 'bool',
        help: 'Accept certificates that are in no log of certificates',
      },
      { name: 'key', type: 'string', help: 'Public key: a file, or env://VARIABLE' },
      { name: 'platform', type: 'string', help: 'Check the image of one platform of an index' },
      {
        name: 'trusted-root',
        type: 'string',
        help: 'Authorities and logs to believe: trusted_root.json of Sigstore',
      },
    ]),
    load: () => import('./commands/verify.ts'),
  }),
]

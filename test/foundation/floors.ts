/**
 * The floors of the house, lowest first: a package imports only from lower floors, so packages of one floor meet
 * through interfaces. `npm` names the registry packages a package may depend on, each with its reason.
 */
export const floors: Readonly<
  Record<
    string,
    {
      readonly name: string
      readonly floor: number
      readonly npm: Readonly<Record<string, string>>
    }
  >
> = {
  oci: { name: '@katman/oci', floor: 0, npm: {} },
  layer: { name: '@katman/layer', floor: 1, npm: {} },
  transfer: { name: '@katman/transfer', floor: 1, npm: {} },
  remote: {
    name: '@katman/remote',
    floor: 2,
    npm: { 'smol-toml': 'registries.conf is TOML; small, typed, no dependency of its own' },
  },
  archive: { name: '@katman/archive', floor: 2, npm: {} },
  artifact: { name: '@katman/artifact', floor: 2, npm: {} },
  sign: {
    name: '@katman/sign',
    floor: 2,
    npm: {
      '@noble/ciphers':
        "NaCl's secretbox, which locks cosign's keys; audited, typed, no dependency",
      '@sigstore/bundle': "Sigstore's own reader of bundles",
      '@sigstore/core': "Sigstore's own reader of certificates",
      '@sigstore/protobuf-specs': "Sigstore's own reader of trusted_root.json",
      '@sigstore/verify': "Sigstore's own check of certificates, logs and signatures, offline",
    },
  },
  store: { name: '@katman/store', floor: 2, npm: {} },
  registry: {
    name: '@katman/registry',
    floor: 3,
    npm: {
      bcryptjs: 'the hashes of htpasswd files; in JavaScript, loaded only for them',
      jose: 'checks the tokens of OIDC issuers; no dependency, loaded only for them',
      'openid-client':
        'logs people in at OIDC providers; certified, by the author of jose, loaded only for that',
      '@aws-sdk/client-s3': "Amazon's own client of S3; loaded only for an s3:// storage",
      '@aws-sdk/s3-request-presigner': 'signs the links of the same client',
      '@opentelemetry/api':
        'where an SDK, if the process was started with one, hears of requests; no dependency, loaded only then',
      pg: 'the client of PostgreSQL that everybody uses, in JavaScript; loaded only for a postgres:// database',
      valibot:
        'reads what people write: configuration and the admin API; small, typed, no dependency',
    },
  },
  cli: {
    name: 'katman',
    floor: 6,
    npm: {
      semver: 'ranges of versions in sync files, as npm and others have them; no dependency',
      yaml: 'sync files are YAML; knows the line of every value, typed, no dependency',
    },
  },
}

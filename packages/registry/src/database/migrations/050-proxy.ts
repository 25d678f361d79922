import type { Migration } from '../migrate.ts'

/** What is cached of other registries, and copies by rule. Repositories go by name: they may not exist yet. */
export const proxyTables: Migration = {
  name: '050-proxy',
  statements: ({ integer, serial, text }) => [
    // A repository that is in here is a cache: nobody pushes to it, and it may be emptied.
    `CREATE TABLE proxy_repositories (
      repository ${text} PRIMARY KEY,
      upstream ${text} NOT NULL,
      remote ${text} NOT NULL,
      created_at ${integer} NOT NULL
    )`,
    'CREATE INDEX proxy_repositories_by_upstream ON proxy_repositories (upstream, repository)',

    // When the upstream said last what a tag stands for.
    `CREATE TABLE proxy_tags (
      repository ${text} NOT NULL,
      tag ${text} NOT NULL,
      checked_at ${integer} NOT NULL,
      PRIMARY KEY (repository, tag)
    )`,

    // When a cached manifest was asked for last, to within an hour.
    `CREATE TABLE proxy_manifests (
      repository ${text} NOT NULL,
      digest ${text} NOT NULL,
      used_at ${integer} NOT NULL,
      PRIMARY KEY (repository, digest)
    )`,
    'CREATE INDEX proxy_manifests_by_use ON proxy_manifests (used_at)',

    // Who fetches a blob or a manifest, so that other replicas wait for it.
    `CREATE TABLE proxy_fetches (
      repository ${text} NOT NULL,
      reference ${text} NOT NULL,
      holder TEXT NOT NULL,
      lease_until ${integer} NOT NULL,
      PRIMARY KEY (repository, reference)
    )`,

    // Each time a rule was carried out, and what came of it. `counts` and `failures` are JSON.
    `CREATE TABLE replication_runs (
      id ${serial},
      rule ${text} NOT NULL,
      cause TEXT NOT NULL,
      state TEXT NOT NULL,
      started_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      finished_at ${integer},
      counts TEXT NOT NULL,
      failures TEXT NOT NULL
    )`,
    'CREATE INDEX replication_runs_by_rule ON replication_runs (rule, id)',
  ],
}

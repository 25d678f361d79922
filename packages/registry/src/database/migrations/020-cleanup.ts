import type { Migration } from '../migrate.ts'

/** What clean-up, retention, quotas, undelete and scrub need. */
export const cleanupTables: Migration = {
  name: '020-cleanup',
  statements: ({ bytes, integer, serial, text }) => [
    'CREATE INDEX blobs_by_object ON blobs (object_key) WHERE object_key IS NOT NULL',

    // Objects that no row names any more, to be deleted from the object store.
    `CREATE TABLE object_deletions (
      object_key ${text} PRIMARY KEY,
      queued_at ${integer} NOT NULL
    )`,

    // What was deleted and can come back until `keep_until`; its blobs stay linked as long.
    `CREATE TABLE deleted_manifests (
      repository_id ${integer} NOT NULL REFERENCES repositories (id),
      digest ${text} NOT NULL,
      media_type TEXT NOT NULL,
      bytes ${bytes} NOT NULL,
      actor TEXT,
      deleted_at ${integer} NOT NULL,
      keep_until ${integer} NOT NULL,
      PRIMARY KEY (repository_id, digest)
    )`,
    'CREATE INDEX deleted_manifests_by_time ON deleted_manifests (keep_until)',
    `CREATE TABLE deleted_manifest_blobs (
      repository_id ${integer} NOT NULL,
      manifest ${text} NOT NULL,
      digest ${text} NOT NULL,
      PRIMARY KEY (repository_id, manifest, digest)
    )`,
    'CREATE INDEX deleted_manifest_blobs_by_digest ON deleted_manifest_blobs (repository_id, digest)',

    // What each tag stood for before: `digest` is NULL from when it was deleted.
    `CREATE TABLE tag_history (
      id ${serial},
      repository_id ${integer} NOT NULL REFERENCES repositories (id),
      name ${text} NOT NULL,
      digest ${text},
      previous ${text},
      actor TEXT,
      at ${integer} NOT NULL
    )`,
    'CREATE INDEX tag_history_by_name ON tag_history (repository_id, name, id)',
    'CREATE INDEX tag_history_by_time ON tag_history (at)',

    // Content of a namespace, once, with how often its repositories hold it.
    `CREATE TABLE namespace_content (
      namespace ${text} NOT NULL,
      digest ${text} NOT NULL,
      size ${integer} NOT NULL,
      holders ${integer} NOT NULL,
      PRIMARY KEY (namespace, digest)
    )`,
    // The sum of the above, in several rows so that pushes do not wait for each other.
    `CREATE TABLE namespace_usage (
      namespace ${text} NOT NULL,
      shard ${integer} NOT NULL,
      bytes ${integer} NOT NULL,
      PRIMARY KEY (namespace, shard)
    )`,
    `CREATE TABLE quotas (
      namespace ${text} PRIMARY KEY,
      bytes ${integer} NOT NULL
    )`,

    // Tags that never move, by patterns.
    `CREATE TABLE immutable_tags (
      id ${serial},
      repositories ${text} NOT NULL,
      tags ${text} NOT NULL,
      UNIQUE (repositories, tags)
    )`,

    // `rules` is JSON: any of them keeps a tag.
    `CREATE TABLE retention_policies (
      id ${serial},
      repositories ${text} NOT NULL,
      tags ${text} NOT NULL,
      rules TEXT NOT NULL,
      UNIQUE (repositories, tags)
    )`,

    // Blobs whose bytes at rest were found wrong or missing.
    `CREATE TABLE damaged_blobs (
      digest ${text} PRIMARY KEY,
      found_at ${integer} NOT NULL,
      reason TEXT NOT NULL
    )`,
  ],
}

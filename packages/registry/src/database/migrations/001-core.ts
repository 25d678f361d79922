import type { Migration } from '../migrate.ts'

/**
 * What the distribution API needs. Bytes of manifests are in the database, those of blobs are objects in the
 * object store; a repository reads a blob only through its own row in `repository_blobs`.
 */
export const coreTables: Migration = {
  name: '001-core',
  statements: ({ bytes, integer, serial, text }) => [
    `CREATE TABLE repositories (
      id ${serial},
      name ${text} NOT NULL UNIQUE,
      namespace ${text} NOT NULL,
      created_at ${integer} NOT NULL
    )`,
    'CREATE INDEX repositories_by_namespace ON repositories (namespace, name)',

    // The content of one digest, once. A condemned blob is still there and comes alive again when it is needed.
    `CREATE TABLE blobs (
      digest ${text} PRIMARY KEY,
      size ${integer} NOT NULL,
      object_key ${text},
      data ${bytes},
      state TEXT NOT NULL DEFAULT 'live',
      condemned_at ${integer},
      created_at ${integer} NOT NULL
    )`,
    "CREATE INDEX blobs_condemned ON blobs (condemned_at) WHERE state = 'condemned'",

    // Which repository may read which blob; the lease keeps what no manifest names yet.
    `CREATE TABLE repository_blobs (
      repository_id ${integer} NOT NULL REFERENCES repositories (id),
      digest ${text} NOT NULL REFERENCES blobs (digest),
      linked_at ${integer} NOT NULL,
      lease_until ${integer} NOT NULL,
      PRIMARY KEY (repository_id, digest)
    )`,
    'CREATE INDEX repository_blobs_by_digest ON repository_blobs (digest)',

    // The digest is the one it was pushed by. `descriptor` is how a list of referrers shows it, as JSON, where it has a subject.
    `CREATE TABLE manifests (
      repository_id ${integer} NOT NULL REFERENCES repositories (id),
      digest ${text} NOT NULL,
      media_type TEXT NOT NULL,
      artifact_type ${text},
      subject ${text},
      size ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      descriptor TEXT,
      bytes ${bytes} NOT NULL,
      PRIMARY KEY (repository_id, digest)
    )`,
    'CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL',
    'CREATE INDEX manifests_by_subject_and_type ON manifests (repository_id, subject, artifact_type, digest) WHERE subject IS NOT NULL',

    // What a manifest names: blobs (config, layers) and other manifests (of an index).
    `CREATE TABLE manifest_blobs (
      repository_id ${integer} NOT NULL,
      manifest ${text} NOT NULL,
      digest ${text} NOT NULL,
      size ${integer} NOT NULL,
      PRIMARY KEY (repository_id, manifest, digest)
    )`,
    'CREATE INDEX manifest_blobs_by_digest ON manifest_blobs (digest, repository_id)',
    `CREATE TABLE manifest_children (
      repository_id ${integer} NOT NULL,
      parent ${text} NOT NULL,
      child ${text} NOT NULL,
      PRIMARY KEY (repository_id, parent, child)
    )`,
    'CREATE INDEX manifest_children_by_child ON manifest_children (repository_id, child)',

    `CREATE TABLE tags (
      repository_id ${integer} NOT NULL REFERENCES repositories (id),
      name ${text} NOT NULL,
      digest ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      PRIMARY KEY (repository_id, name)
    )`,
    'CREATE INDEX tags_by_digest ON tags (repository_id, digest)',

    // The first bytes are in `data`; when they are too many, in an object, and `state` is what the object store needs to go
    // on, as JSON. `digest` is of all bytes so far, when it is known. The request that writes holds the row by `epoch`, as long as it says so again before `busy_until`.
    `CREATE TABLE uploads (
      id ${text} PRIMARY KEY,
      repository ${text} NOT NULL,
      actor TEXT,
      size ${integer} NOT NULL,
      data ${bytes},
      state TEXT,
      digest TEXT,
      epoch ${integer} NOT NULL,
      busy_until ${integer} NOT NULL,
      holder TEXT,
      started_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL
    )`,
    'CREATE INDEX uploads_by_age ON uploads (updated_at)',
    'CREATE INDEX uploads_by_actor ON uploads (actor)',

    // What may have become garbage, to be looked at from `review_after` on. A `manifest` or a `link` (a row of repository_blobs)
    // of a repository, or a `blob` of all (repository_id 0).
    `CREATE TABLE review_queue (
      kind TEXT NOT NULL,
      repository_id ${integer} NOT NULL,
      digest ${text} NOT NULL,
      review_after ${integer} NOT NULL,
      event TEXT NOT NULL,
      attempts ${integer} NOT NULL DEFAULT 0,
      PRIMARY KEY (kind, repository_id, digest)
    )`,
    'CREATE INDEX review_queue_by_time ON review_queue (review_after)',

    // Work to do once, by whichever replica is free. `unique_key` keeps the same work from being queued twice, `requests`
    // counts how often it was asked for meanwhile; what was given up stays for the operator to see.
    `CREATE TABLE jobs (
      id ${serial},
      kind TEXT NOT NULL,
      unique_key ${text} UNIQUE,
      payload TEXT NOT NULL,
      run_after ${integer} NOT NULL,
      requests ${integer} NOT NULL DEFAULT 1,
      attempts ${integer} NOT NULL DEFAULT 0,
      locked_until ${integer} NOT NULL DEFAULT 0,
      locked_by TEXT,
      last_error TEXT,
      given_up_at ${integer},
      created_at ${integer} NOT NULL
    )`,
    'CREATE INDEX jobs_by_time ON jobs (kind, run_after) WHERE given_up_at IS NULL',

    `CREATE TABLE settings (key ${text} PRIMARY KEY, value TEXT NOT NULL)`,
  ],
}

import type { Migration } from '../migrate.ts'

/** What Docker Hub's API tells of repositories and tags besides what the distribution API needs. */
export const hubTables: Migration = {
  name: '030-hub',
  statements: ({ integer, text }) => [
    // What people wrote about a repository. `categories` is JSON; `badge` is null where the namespace says it.
    `CREATE TABLE repository_pages (
      repository_id ${integer} PRIMARY KEY,
      description TEXT NOT NULL,
      full_description TEXT NOT NULL,
      categories TEXT NOT NULL,
      badge TEXT,
      updated_at ${integer} NOT NULL
    )`,

    // What a manifest holds for which platforms, worked out once when it was pushed. `images` is JSON.
    `CREATE TABLE manifest_images (
      repository_id ${integer} NOT NULL,
      digest ${text} NOT NULL,
      content_type TEXT NOT NULL,
      full_size ${integer} NOT NULL,
      images TEXT NOT NULL,
      PRIMARY KEY (repository_id, digest)
    )`,

    // Who moved a tag last, and when.
    `CREATE TABLE tag_pushes (
      repository_id ${integer} NOT NULL,
      name ${text} NOT NULL,
      pushed_by TEXT,
      pushed_at ${integer} NOT NULL,
      PRIMARY KEY (repository_id, name)
    )`,

    // How many tags there are, in several rows that add up, so that pushes do not wait for each other.
    `CREATE TABLE tag_counts (
      repository_id ${integer} NOT NULL,
      shard ${integer} NOT NULL,
      count ${integer} NOT NULL,
      PRIMARY KEY (repository_id, shard)
    )`,

    // How often and when last something was pulled: `target` is a tag, a digest, or '' for the repository.
    `CREATE TABLE pulls (
      repository_id ${integer} NOT NULL,
      target ${text} NOT NULL,
      count ${integer} NOT NULL,
      last_at ${integer} NOT NULL,
      PRIMARY KEY (repository_id, target)
    )`,

    `CREATE TABLE stars (
      repository_id ${integer} NOT NULL,
      account ${text} NOT NULL,
      starred_at ${integer} NOT NULL,
      PRIMARY KEY (repository_id, account)
    )`,

    // How many pulls an account or an address used up in a window of time.
    `CREATE TABLE pull_limits (
      subject ${text} NOT NULL,
      window_start ${integer} NOT NULL,
      count ${integer} NOT NULL,
      PRIMARY KEY (subject, window_start)
    )`,
    'CREATE INDEX pull_limits_by_time ON pull_limits (window_start)',

    'CREATE INDEX tags_by_time ON tags (repository_id, updated_at, name)',
  ],
}

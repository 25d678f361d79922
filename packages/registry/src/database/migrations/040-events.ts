import type { Migration } from '../migrate.ts'

/** What happened, who wants to hear of it, and whether they did. */
export const eventTables: Migration = {
  name: '040-events',
  statements: ({ integer, serial, text }) => [
    // Written in the transaction that changed something. `seq`, the order in which everybody sees events, is given
    // later: transactions end in another order than they began.
    `CREATE TABLE events (
      id ${serial},
      seq ${integer} UNIQUE,
      event_id TEXT NOT NULL,
      type TEXT NOT NULL,
      repository ${text} NOT NULL,
      namespace ${text} NOT NULL,
      subject TEXT NOT NULL,
      actor TEXT,
      at ${integer} NOT NULL,
      data TEXT NOT NULL
    )`,
    'CREATE INDEX events_new ON events (id) WHERE seq IS NULL',
    'CREATE INDEX events_by_time ON events (at)',

    // `namespace` is '' for the whole registry. `types` is JSON; the secret is needed to sign.
    `CREATE TABLE webhooks (
      id ${text} PRIMARY KEY,
      namespace ${text} NOT NULL,
      repositories TEXT NOT NULL,
      types TEXT NOT NULL,
      url TEXT NOT NULL,
      secret TEXT NOT NULL,
      is_enabled ${integer} NOT NULL,
      failures ${integer} NOT NULL DEFAULT 0,
      disabled_reason TEXT,
      created_by TEXT,
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL
    )`,
    'CREATE INDEX webhooks_by_namespace ON webhooks (namespace, created_at)',

    // One message to one webhook, with its last attempt.
    `CREATE TABLE webhook_deliveries (
      id ${text} PRIMARY KEY,
      webhook_id ${text} NOT NULL,
      type TEXT NOT NULL,
      body TEXT NOT NULL,
      state TEXT NOT NULL,
      attempts ${integer} NOT NULL,
      status ${integer},
      duration_ms ${integer},
      answer TEXT,
      error TEXT,
      created_at ${integer} NOT NULL,
      attempted_at ${integer}
    )`,
    'CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, created_at, id)',
    'CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at)',
  ],
}

import type { Migration } from '../migrate.ts'

/** Who may do what, how they prove who they are, and what they did. */
export const accountTables: Migration = {
  name: '010-accounts',
  statements: ({ integer, serial, text }) => [
    // A robot belongs to a namespace and has no password; a person from an OIDC issuer has none either.
    `CREATE TABLE accounts (
      id ${serial},
      name ${text} NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      namespace ${text},
      description TEXT NOT NULL DEFAULT '',
      password TEXT,
      is_admin ${integer} NOT NULL DEFAULT 0,
      may_create ${integer} NOT NULL DEFAULT 0,
      is_disabled ${integer} NOT NULL DEFAULT 0,
      issuer TEXT,
      subject TEXT,
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      UNIQUE (issuer, subject)
    )`,

    // Of the token itself only the hash is kept. No scopes: everything its account may do.
    `CREATE TABLE access_tokens (
      id ${text} PRIMARY KEY,
      account_id ${integer} NOT NULL REFERENCES accounts (id),
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      hash ${text} NOT NULL UNIQUE,
      scopes TEXT,
      parent ${text},
      created_at ${integer} NOT NULL,
      expires_at ${integer},
      last_used_at ${integer}
    )`,
    'CREATE INDEX access_tokens_by_account ON access_tokens (account_id, id)',
    'CREATE INDEX access_tokens_by_parent ON access_tokens (parent) WHERE parent IS NOT NULL',

    // Every namespace with a repository has a row: nobody can take one that is in use.
    `CREATE TABLE namespaces (
      name ${text} PRIMARY KEY,
      created_at ${integer} NOT NULL,
      created_by TEXT
    )`,
    `CREATE TABLE namespace_members (
      namespace ${text} NOT NULL REFERENCES namespaces (name),
      account_id ${integer} NOT NULL REFERENCES accounts (id),
      role TEXT NOT NULL,
      PRIMARY KEY (namespace, account_id)
    )`,
    'CREATE INDEX namespace_members_by_account ON namespace_members (account_id)',

    // `account_id` is 0 for grants to everyone and to anonymous.
    `CREATE TABLE grants (
      id ${serial},
      subject TEXT NOT NULL,
      account_id ${integer} NOT NULL,
      pattern ${text} NOT NULL,
      actions TEXT NOT NULL,
      created_at ${integer} NOT NULL,
      created_by TEXT,
      UNIQUE (subject, account_id, pattern)
    )`,
    'CREATE INDEX grants_by_account ON grants (account_id)',

    `CREATE TABLE signing_keys (
      id ${text} PRIMARY KEY,
      algorithm TEXT NOT NULL,
      private_key TEXT NOT NULL,
      created_at ${integer} NOT NULL
    )`,

    // A login at an OIDC provider that has begun. The browser has the id as a cookie; here is its hash.
    `CREATE TABLE oidc_logins (
      id ${text} PRIMARY KEY,
      state TEXT NOT NULL,
      nonce TEXT NOT NULL,
      verifier TEXT NOT NULL,
      redirect_uri TEXT NOT NULL,
      created_at ${integer} NOT NULL
    )`,
    'CREATE INDEX oidc_logins_by_age ON oidc_logins (created_at)',

    `CREATE TABLE audit_log (
      id ${serial},
      at ${integer} NOT NULL,
      actor TEXT,
      client TEXT,
      action ${text} NOT NULL,
      target ${text} NOT NULL,
      result TEXT NOT NULL,
      detail TEXT
    )`,
    'CREATE INDEX audit_log_by_time ON audit_log (at)',
  ],
}

/** The tables of `IssuerObject`, one step a release that changes them. See `storage.ts`. */
export const issuerTables: readonly string[] = [
  `
  -- root, slots, bundle: JSON. Private keys stand in it only encrypted.
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE join_tokens (
    hash TEXT PRIMARY KEY,           -- base64url SHA-256 of the token
    service TEXT NOT NULL,
    expires_at INTEGER NOT NULL      -- milliseconds since the Unix epoch
  ) WITHOUT ROWID;
  `,
  `
  -- What is no longer believed, and to whom nothing is issued.
  CREATE TABLE revocations (
    kind TEXT NOT NULL,              -- spiffeId, jti, thumbprint
    value TEXT NOT NULL,
    at INTEGER NOT NULL,             -- milliseconds since the Unix epoch
    lifted_at INTEGER,               -- NULL: in force
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, value)
  ) WITHOUT ROWID;

  -- How many tokens each identity was given.
  CREATE TABLE issued (
    spiffe_id TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL         -- milliseconds since the Unix epoch
  ) WITHOUT ROWID;
  `,
  `
  -- Which evidence may become which identity. One that is revoked stays, so that its identity stays registered.
  CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    spiffe_id TEXT NOT NULL,
    attestor TEXT NOT NULL,          -- binding, deno-deploy, join-token
    selectors TEXT NOT NULL,         -- JSON: list of name:value, sorted
    ttl_ms INTEGER,                  -- NULL: as long as all others
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,     -- milliseconds since the Unix epoch, as all times
    created_by TEXT NOT NULL,
    issued INTEGER NOT NULL,
    last_at INTEGER,
    revoked_at INTEGER,              -- NULL: in force
    revoked_by TEXT
  ) WITHOUT ROWID;
  CREATE INDEX entries_by_identity ON entries (spiffe_id);

  -- Nonces that a platform's token was made for, until they expire.
  CREATE TABLE used_nonces (nonce TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX used_nonces_by_end ON used_nonces (until);

  -- Whose each workload's key is, while a token for it can be alive.
  CREATE TABLE bound_keys (
    thumbprint TEXT PRIMARY KEY,     -- RFC 7638
    spiffe_id TEXT NOT NULL,
    until INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX bound_keys_by_end ON bound_keys (until);
  `,
  `
  -- Other trust domains that are believed, and what is known of them: JSON, public keys alone.
  CREATE TABLE federations (trust_domain TEXT PRIMARY KEY, federation TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  -- By which evidence the token for each key was given. Nobody knows of those before; they end within hours.
  ALTER TABLE bound_keys ADD COLUMN attestor TEXT NOT NULL DEFAULT 'join-token';
  `,
  `
  -- When a join token was made, milliseconds since the Unix epoch; nobody knows of those before.
  ALTER TABLE join_tokens ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0;
  `,
];

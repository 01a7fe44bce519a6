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
];

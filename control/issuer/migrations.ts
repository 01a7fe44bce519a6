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
];

/** The tables of `PolicyObject`, one step a release that changes them. See `storage.ts`. */
export const policyTables: readonly string[] = [
  `
  -- What is in force.
  CREATE TABLE documents (
    name TEXT PRIMARY KEY,           -- kind/namespace/name
    revision INTEGER NOT NULL,       -- that wrote this text
    digest TEXT NOT NULL,            -- SHA-256 of the text
    text TEXT NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    digest TEXT NOT NULL             -- of the whole set after this revision
  );

  -- The text of each document after each revision that touched it; NULL: deleted.
  CREATE TABLE changes (
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    text TEXT,
    PRIMARY KEY (revision, name)
  ) WITHOUT ROWID;
  CREATE INDEX changes_by_name ON changes (name, revision);

  -- Compiled policy: what many snapshots begin with is kept once.
  CREATE TABLE snapshots (
    digest TEXT PRIMARY KEY,
    shared TEXT NOT NULL,            -- digest in shared_parts
    own TEXT NOT NULL
  ) WITHOUT ROWID;

  -- Cut into parts because a row holds 2 MB at most.
  CREATE TABLE shared_parts (
    digest TEXT NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (digest, part)
  );

  -- Every service of the mesh, those included that only route to others.
  CREATE TABLE services (
    service TEXT PRIMARY KEY,
    view TEXT NOT NULL               -- what joins and reports need to know of it, JSON
  ) WITHOUT ROWID;

  -- Where each service that has a worker stands: its snapshot, the signed pointer to it, and what KV shows of both.
  CREATE TABLE heads (
    service TEXT PRIMARY KEY,
    spiffe_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    digest TEXT NOT NULL,
    signed TEXT,                     -- compact JWS; NULL until the issuer has signed it
    published_epoch INTEGER NOT NULL DEFAULT 0,
    published_digest TEXT NOT NULL DEFAULT ''
  ) WITHOUT ROWID;

  -- Keys of heads and snapshots that no service needs any longer, until KV has let go of them.
  CREATE TABLE leftovers (
    key TEXT PRIMARY KEY,
    since INTEGER NOT NULL           -- milliseconds since the Unix epoch
  ) WITHOUT ROWID;

  -- What KV holds under policies/, and the bundle, as far as it was written or seen.
  CREATE TABLE kv_entries (
    key TEXT PRIMARY KEY,
    written_digest TEXT NOT NULL DEFAULT '',  -- what this object wrote last; empty: nothing, or it deleted the key
    foreign_digest TEXT NOT NULL DEFAULT '',  -- the last text by somebody else that was judged
    issues TEXT NOT NULL DEFAULT '',          -- why that text is not in force, JSON; empty: it was adopted
    judged_at INTEGER NOT NULL DEFAULT 0      -- the revision against which it was judged
  ) WITHOUT ROWID;
  `,
  `
  -- Heads expire, and the root key that signs them may be followed by another.
  ALTER TABLE heads ADD COLUMN signed_until INTEGER NOT NULL DEFAULT 0;  -- milliseconds since the Unix epoch
  ALTER TABLE heads ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';       -- kid of the root key
  ALTER TABLE heads ADD COLUMN published_until INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE heads ADD COLUMN published_by TEXT NOT NULL DEFAULT '';
  `,
  `
  CREATE TABLE operator_tokens (
    id TEXT PRIMARY KEY,             -- public: what the token begins with
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    hash TEXT NOT NULL,              -- SHA-256 of the token, hex
    created_at INTEGER NOT NULL,     -- these in milliseconds since the Unix epoch
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL         -- to the hour; 0: never
  ) WITHOUT ROWID;

  -- Who changed what, each entry with the hash of the one before it.
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,             -- milliseconds since the Unix epoch
    actor TEXT NOT NULL,
    refused INTEGER NOT NULL,
    text TEXT NOT NULL,              -- canonical JSON of the entry without its hash
    hash TEXT NOT NULL               -- SHA-256 of the text, hex
  );
  CREATE INDEX audit_refused ON audit (at, actor) WHERE refused = 1;

  -- Refused attempts that were not written since the newest entry.
  CREATE TABLE audit_skipped (only INTEGER PRIMARY KEY, count INTEGER NOT NULL);
  `,
  `
  -- Each time that a document came into being. What is deleted and created again is new; what an undo brings back is
  -- as old as it was.
  CREATE TABLE ages (
    name TEXT NOT NULL,
    since INTEGER NOT NULL,          -- the revision that it appeared with
    revision INTEGER NOT NULL,       -- the revision that created it, which an undo looks up
    at INTEGER,                      -- milliseconds since the Unix epoch; NULL until the history has been read
    PRIMARY KEY (name, since)
  ) WITHOUT ROWID;
  INSERT INTO ages (name, since, revision) SELECT name, revision, revision FROM changes WHERE action = 'created';
  `,
];

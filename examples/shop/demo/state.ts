import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** What the demo keeps between runs, in `.tulle/` of the project. */
export interface LocalState {
  /** KV and Durable Objects. */
  readonly persist: string;
  /** Operator token of the local control; the CLI finds it in `.tulle/token`. */
  readonly token: string;
  /** Under which control encrypts its signing keys. */
  readonly keySecret: string;
}

/** Opens `.tulle/`, made anew where it is missing or `fresh` is asked for. Secrets are readable by their owner alone. */
export function openState(root: string, fresh: boolean): LocalState {
  const folder = path.join(root, ".tulle");
  if (fresh) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    persist: path.join(folder, "state"),
    token: secret(path.join(folder, "token")),
    keySecret: secret(path.join(folder, "key-secret")),
  };
}

function secret(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** What the demo keeps between runs. */
export interface LocalState {
  /** KV and Durable Objects. */
  readonly persist: string;
  /** Operator token of the local control; the CLI finds it in `.tulle/token`. */
  readonly token: string;
  readonly tokenFile: string;
  /** Under which control encrypts its signing keys. */
  readonly keySecret: string;
}

/**
 * Opens the folder, made where it is missing; secrets in it are readable by their owner alone. With `fresh` the
 * demo's own three things in it are made anew, and nothing else is touched.
 */
export function openState(folder: string, fresh: boolean): LocalState {
  const persist = path.join(folder, "state");
  const tokenFile = path.join(folder, "token");
  const keySecretFile = path.join(folder, "key-secret");
  if (fresh)
    for (const own of [persist, tokenFile, keySecretFile]) rmSync(own, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return { persist, token: secret(tokenFile), tokenFile, keySecret: secret(keySecretFile) };
}

function secret(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

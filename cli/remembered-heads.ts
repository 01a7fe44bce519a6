import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AuditMark } from "@tulle/control/api/contract.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

const fileName = "audit-heads.json";

/**
 * The newest audit entry that was verified last, of each control plane, in `.tulle/audit-heads.json`: what control
 * has forgotten since, it cannot make forgotten here.
 */
export class RememberedHeads {
  readonly path: string;

  /** @param directory where the search for `.tulle` begins, upwards; made there if there is none */
  constructor(directory: string) {
    this.path = join(nearest(directory) ?? join(directory, ".tulle"), fileName);
  }

  /** @param url of control */
  of(url: string): AuditMark | undefined {
    return this.#read().get(url);
  }

  remember(url: string, head: AuditMark): void {
    const heads = this.#read().set(url, { sequence: head.sequence, hash: head.hash });
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    // Written beside and moved, so that two commands at once leave one of the two and no mixture.
    const beside = `${this.path}.${process.pid}`;
    writeFileSync(beside, `${JSON.stringify(Object.fromEntries(heads), null, 2)}\n`, { mode: 0o600 });
    renameSync(beside, this.path);
  }

  #read(): Map<string, AuditMark> {
    if (!existsSync(this.path)) return new Map();
    try {
      const all: unknown = JSON.parse(readFileSync(this.path, "utf8"));
      const entries = Object.entries(typeof all === "object" && all !== null ? all : {});
      if (entries.every(([, mark]) => isMark(mark))) return new Map(entries as [string, AuditMark][]);
    } catch {
      // No JSON, or not readable: told in the same words as JSON of another form.
    }
    throw new Failure(
      exit.usage,
      `Cannot read the audit heads in ${this.path}.`,
      "If you know why, delete it: the next verification begins anew.",
    );
  }
}

const isMark = (value: unknown): value is AuditMark =>
  typeof value === "object" &&
  value !== null &&
  "sequence" in value &&
  Number.isSafeInteger(value.sequence) &&
  "hash" in value &&
  typeof value.hash === "string" &&
  /^[0-9a-f]{64}$/.test(value.hash);

function nearest(directory: string): string | undefined {
  const here = join(directory, ".tulle");
  if (existsSync(here)) return here;
  const above = dirname(directory);
  return above === directory ? undefined : nearest(above);
}

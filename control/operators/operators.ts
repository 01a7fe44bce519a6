import type { Actor, NewOperatorToken, OperatorToken, Role } from "../api/contract.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import { type Draft, digestOfChange } from "../audit/entry.ts";
import type { OperatorBook, Standing } from "./operator-book.ts";
import { newToken, type Presented } from "./token-form.ts";

/** A token that somebody wants. */
export interface TokenWish {
  readonly name: string;
  readonly role: Role;
  readonly ttlMs: number;
}

/** A token, or why there is none. */
export type TokenOutcome =
  | { readonly kind: "made"; readonly token: NewOperatorToken }
  | { readonly kind: "taken" }
  | { readonly kind: "full" };

/** Makes and takes back tokens, each in the transaction that writes it to the audit log. */
export class Operators {
  readonly #book: OperatorBook;
  readonly #audit: AuditLog;
  readonly #revision: () => number;

  /** @param revision the head revision of policy, which tokens leave as it is */
  constructor(book: OperatorBook, audit: AuditLog, revision: () => number) {
    this.#book = book;
    this.#audit = audit;
    this.#revision = revision;
  }

  judge(token: Presented, now: number): Standing {
    return this.#book.judge(token, now);
  }

  list(): OperatorToken[] {
    return this.#book.list();
  }

  /** Makes a token. Of two who want one name at once, the second finds it taken. */
  async create({ name, role, ttlMs }: TokenWish, actor: Actor, now: number): Promise<TokenOutcome> {
    const made = await newToken();
    const expiresAt = now + ttlMs;
    const shown: NewOperatorToken = {
      name,
      role,
      id: made.id,
      createdAt: new Date(now).toISOString(),
      createdBy: actor.name,
      expiresAt: new Date(expiresAt).toISOString(),
      token: made.token,
    };
    const draft = await this.#draft("token.create", actor, {
      name,
      role,
      id: made.id,
      expiresAt: new Date(expiresAt).toISOString(),
    });
    let obstacle: "taken" | "full" | undefined;
    const added = await this.#audit.record(draft, now, () => {
      obstacle = this.#book.obstacle(name);
      if (obstacle !== undefined) return undefined;
      this.#book.add(made, { name, role, by: actor.name, expiresAt }, now);
      return true;
    });
    return added === undefined ? { kind: obstacle ?? "full" } : { kind: "made", token: shown };
  }

  /** Takes a token back, at once and everywhere; `undefined` if there is none of this name. */
  async revoke(name: string, actor: Actor, now: number): Promise<OperatorToken | undefined> {
    const found = this.#book.list().find((token) => token.name === name);
    if (found?.id === undefined) return undefined;
    const { id, role } = found;
    const draft = await this.#draft("token.revoke", actor, { name, role, id });
    return this.#audit.record(draft, now, () => {
      // Somebody may have revoked it meanwhile and given its name to another.
      if (this.#book.named(name)?.id !== id) return undefined;
      this.#book.remove(id);
      return found;
    });
  }

  async #draft(
    action: "token.create" | "token.revoke",
    actor: Actor,
    of: { readonly name: string; readonly role: Role; readonly id: string; readonly expiresAt?: string },
  ): Promise<Draft> {
    const revision = this.#revision();
    return {
      actor,
      action,
      objects: [`token/${of.name}`],
      revision: { before: revision, after: revision },
      reason: `role ${of.role}, id ${of.id}${of.expiresAt === undefined ? "" : `, until ${of.expiresAt}`}`,
      digest: await digestOfChange(of),
    };
  }
}

import type { ApplyRequest, ChangeAnswer } from "@tulle/control/api/contract.ts";
import type { StoredDocument } from "./status.ts";
import type { Wire, WireAnswer } from "./wire.ts";

/** Control refused a change, and why. */
export class Refused extends Error {}

/** The admin API of control, as an operator has it. */
export class ControlClient {
  readonly #wire: Wire;
  readonly #token: string;

  constructor(wire: Wire, token: string) {
    this.#wire = wire;
    this.#token = token;
  }

  /**
   * Applies documents, all or nothing.
   * @throws Refused with every issue
   */
  async apply(texts: readonly string[], reason: string): Promise<ChangeAnswer> {
    const sources = texts.map((text, index) => ({ source: `document ${index + 1}`, text }));
    return this.#change("POST", "/api/policies", { sources, reason } satisfies ApplyRequest);
  }

  /** Deletes one document. */
  async remove(kind: string, key: string): Promise<ChangeAnswer> {
    return this.#change("DELETE", `/api/policies/${kind}/${key}`);
  }

  /** Takes one revision back: what it wrote is as it was before. */
  async undo(revision: number): Promise<ChangeAnswer> {
    return this.#change("POST", "/api/policies/undo", { revision });
  }

  /** A document with its status; undefined if there is none. */
  async document(kind: string, key: string): Promise<StoredDocument | undefined> {
    const answer = await this.#ask("GET", `/api/policies/${kind}/${key}`);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Error(`control answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body) as StoredDocument;
  }

  async #change(method: string, path: string, body?: unknown): Promise<ChangeAnswer> {
    const answer = await this.#ask(method, path, body);
    if (answer.status !== 200 && answer.status !== 422)
      throw new Refused(`control answered ${answer.status}: ${answer.body}`);
    const change = JSON.parse(answer.body) as ChangeAnswer;
    const errors = change.issues.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw new Refused(errors.map(({ message }) => message).join(" | "));
    return change;
  }

  #ask(method: string, path: string, body?: unknown): Promise<WireAnswer> {
    return this.#wire.send(
      { to: "tulle-control", door: "worker", url: `http://control${path}` },
      {
        method,
        headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
    );
  }
}

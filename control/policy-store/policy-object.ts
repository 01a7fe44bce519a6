import { DurableObject } from "cloudflare:workers";
import type { Ages } from "@tulle/mesh-runtime/policy/age.ts";
import type {
  Actor,
  ApplyRequest,
  AuditAction,
  AuditAnswer,
  Change,
  DocumentRef,
  Issue,
  OperatorToken,
  RefusedDocument,
  Revision,
  StoredDocument,
  SyncAnswer,
  UndoRequest,
} from "../api/contract.ts";
import { AuditLog, type AuditQuery } from "../audit/audit-log.ts";
import { type Draft, digestOfChange } from "../audit/entry.ts";
import type { Env } from "../env.ts";
import { issuer } from "../objects.ts";
import { OperatorBook, type Standing as TokenStanding } from "../operators/operator-book.ts";
import { Operators, type TokenOutcome, type TokenWish } from "../operators/operators.ts";
import type { Presented } from "../operators/token-form.ts";
import { type PublishAnswer, publish } from "../snapshots/publish.ts";
import { adopt } from "./adopt.ts";
import { draftOf, moved } from "./change-entry.ts";
import { isDue } from "./head-due.ts";
import { digestOfText, Judgement } from "./judgement.ts";
import { KvBook } from "./kv-book.ts";
import { policyKey } from "./kv-layout.ts";
import { Ledger } from "./ledger.ts";
import { readBack } from "./reconcile.ts";
import { changesOf, documentName, type Edit, edited, isChange, type Texts, undoing } from "./revision.ts";
import type { DestinationView, ListenerView } from "./shelf.ts";
import { Standing, type UnsettledList } from "./standing.ts";
import { stateOf } from "./state.ts";
import { findStrayed, type Strayed, writeAgain } from "./strayed.ts";
import { strictly } from "./strict.ts";
import type { Authored, ChangeOutcome, Current, MeshView, StoreState } from "./words.ts";

/** How often a change is planned anew because another one came in between. */
const attempts = 5;

/** The only writer of policy: one object for the mesh. Everything that it answers is plain data. */
export class PolicyObject extends DurableObject<Env> {
  readonly #ledger: Ledger;
  readonly #book: KvBook;
  readonly #judgement: Judgement;
  readonly #standing: Standing;
  readonly #audit: AuditLog;
  readonly #operators: Operators;
  #publishing: Promise<PublishAnswer> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#ledger = new Ledger(ctx.storage);
    this.#book = new KvBook(ctx.storage.sql);
    this.#judgement = new Judgement(env.TRUST_DOMAIN);
    this.#standing = new Standing(this.#ledger, this.#judgement);
    this.#audit = new AuditLog(ctx.storage);
    this.#operators = new Operators(new OperatorBook(ctx.storage.sql), this.#audit, () =>
      this.#ledger.revision(),
    );
  }

  documents(filter: { readonly kind?: string; readonly namespace?: string }): StoredDocument[] {
    return this.#standing.of(this.#ledger.documents(filter));
  }

  document(ref: DocumentRef): StoredDocument | undefined {
    const document = this.#ledger.document(ref);
    return document && this.#standing.of([document])[0];
  }

  /** Documents that are not accepted or refer to what is not there: the first of them, and how many. */
  unsettled(limit: number): UnsettledList {
    return this.#standing.unsettled(limit);
  }

  /** Documents in force that this version of Tulle refuses. */
  refused(): readonly RefusedDocument[] {
    return this.#standing.refused();
  }

  history(filter: Partial<DocumentRef>): Revision[] {
    return this.#ledger.history(filter);
  }

  /** Parses, judges the whole set with the given documents in it, compiles, and writes one revision: all or nothing. */
  async apply(request: ApplyRequest, by: Authored): Promise<ChangeOutcome> {
    const read = this.#judgement.read(request.sources);
    return this.#change({ ...request, ...by, action: "policy.apply", issues: read.issues }, () => ({
      kind: "edits",
      edits: read.edits,
    }));
  }

  async remove(ref: DocumentRef, by: Authored, expectedRevision?: number): Promise<ChangeOutcome> {
    const name = documentName(ref);
    return this.#change(
      { ...by, action: "policy.delete", ...(expectedRevision === undefined ? {} : { expectedRevision }) },
      (texts) =>
        texts.has(name)
          ? { kind: "edits", edits: [{ ref, text: undefined }] }
          : { kind: "missing", detail: `There is no ${name}.` },
    );
  }

  /** Takes back one revision: the documents that it touched get the texts that they had before it. */
  async undo(request: UndoRequest, actor: Actor): Promise<ChangeOutcome> {
    const revision = request.revision ?? this.#ledger.revision();
    const options =
      request.expectedRevision === undefined ? {} : { expectedRevision: request.expectedRevision };
    const by = { actor, action: "policy.undo", reason: `undo of revision ${revision}` } as const;
    return this.#change({ ...options, ...by }, () => {
      const touched = this.#ledger.touched(revision);
      if (touched.length === 0)
        return { kind: "missing", detail: `There is no revision ${revision} to undo.` };
      const later = touched.find(({ laterRevision }) => laterRevision !== undefined);
      if (later === undefined) return { kind: "edits", edits: undoing(revision, touched) };
      return {
        kind: "conflict",
        revision: this.#ledger.revision(),
        detail: `${documentName(later.ref)} was changed again by revision ${later.laterRevision}: undo that one first, or apply the text that you want.`,
      };
    });
  }

  /** The newest epoch, and the services unless the asker knows them. */
  view(knownEpoch: number): MeshView {
    const epoch = this.#ledger.revision();
    if (epoch === knownEpoch) return { epoch };
    return { epoch, services: this.#ledger.shelf.services() };
  }

  /** What a service shall run; `undefined` if no document registers it. */
  async current(service: string, knownDigest: string): Promise<Current | undefined> {
    const known = this.#ledger.shelf.head(service);
    if (known !== undefined && isDue(known, Date.now())) await this.#signHeads();
    const head = this.#ledger.shelf.head(service);
    if (head === undefined) return undefined;
    const { spiffeId, epoch, digest, signed } = head;
    const snapshot = digest === knownDigest ? undefined : this.#ledger.shelf.snapshot(digest);
    return {
      spiffeId,
      epoch,
      digest,
      ...(signed === undefined ? {} : { head: signed }),
      ...(snapshot === undefined ? {} : { snapshot }),
    };
  }

  /** The policy that a service shall run, as it was compiled; `undefined` for what has no worker. */
  snapshot(service: string): { epoch: number; digest: string; text: string } | undefined {
    const head = this.#ledger.shelf.head(service);
    const text = head && this.#ledger.shelf.snapshot(head.digest);
    return head === undefined || text === undefined
      ? undefined
      : { epoch: head.epoch, digest: head.digest, text };
  }

  /** What callers of each namespace know of a service. */
  destinations(service: string): DestinationView[] {
    return this.#ledger.shelf.destinations(service);
  }

  /** Every listener of every Gateway that a worker implements. */
  listeners(): ListenerView[] {
    return this.#ledger.shelf.listeners();
  }

  /** How old the documents of a kind are, by name. */
  ages(kind: string): Ages {
    return new Map([...this.#ledger.ages.all()].filter(([name]) => name.startsWith(`${kind}/`)));
  }

  state(): StoreState {
    return stateOf(this.#ledger, this.#book);
  }

  /** Whose token this is. */
  judgeToken(token: Presented): TokenStanding {
    return this.#operators.judge(token, Date.now());
  }

  tokens(): OperatorToken[] {
    return this.#operators.list();
  }

  async createToken(wish: TokenWish, actor: Actor): Promise<TokenOutcome> {
    return this.#operators.create(wish, actor, Date.now());
  }

  /** The token that was revoked; `undefined` if there is none of this name. */
  async revokeToken(name: string, actor: Actor): Promise<OperatorToken | undefined> {
    return this.#operators.revoke(name, actor, Date.now());
  }

  audit(query: AuditQuery): AuditAnswer {
    return this.#audit.page(query);
  }

  /**
   * Writes what happens in another object. Two objects share no transaction, so it is written before it is done:
   * nothing is done without an entry.
   */
  async record(draft: Omit<Draft, "revision">): Promise<void> {
    const revision = this.#ledger.revision();
    await this.#audit.record(
      { ...draft, revision: { before: revision, after: revision } },
      Date.now(),
      () => true,
    );
  }

  /** Writes, or counts, that somebody's role did not suffice. */
  async denied(actor: Actor, route: string, reason: string): Promise<void> {
    const at = this.#ledger.revision();
    const digest = await digestOfChange({ route });
    await this.#audit.attempt(
      {
        actor,
        action: "access.denied",
        objects: [route],
        revision: { before: at, after: at },
        reason,
        digest,
      },
      Date.now(),
    );
  }

  /**
   * Brings KV to what is in force. While a run is under way, whoever asks gets another run after it: an object's
   * requests share one context, so that here, other than in an isolate, one may wait for another's promise.
   */
  async publish(): Promise<PublishAnswer> {
    while (this.#publishing !== undefined) await this.#publishing.catch(() => undefined);
    this.#publishing = this.#publishNow();
    try {
      return await this.#publishing;
    } finally {
      this.#publishing = undefined;
    }
  }

  /** Reads KV back, adopts what is valid, reports what is not, and publishes. */
  async reconcile(deep: boolean): Promise<SyncAnswer> {
    const { found, unreadable } = await readBack(
      this.env.POLICIES,
      this.#ledger,
      this.#book,
      digestOfText,
      deep,
    );
    const next = this.#ledger.revision() + 1;
    const verdict = await adopt(found, this.#ledger.texts(), this.#judgement, (edits) =>
      this.#ledger.ages.after(edits, next, Date.now()),
    );
    const changes = await this.#adopted(verdict.edits);
    const revision = this.#ledger.revision();
    for (const { key, digest } of found) {
      const issues = verdict.refused.get(key);
      // What another change came in the way of is judged again at the next run.
      if (issues !== undefined || changes !== undefined)
        this.#book.judged(key, digest, issues ?? [], revision);
    }
    // Without the issuer nobody knows what was signed, and the rest is published all the same.
    const strayed = deep ? await this.strayed().catch(() => []) : [];
    writeAgain(strayed, this.#ledger.shelf, this.#book);
    await this.publish();
    return { revision, adopted: changes ?? [], invalid: [...unreadable, ...this.state().invalid] };
  }

  /** The heads that KV does not show as control signed them, and the bundle; nothing while the issuer has no keys. */
  async strayed(): Promise<readonly Strayed[]> {
    const bundle = await issuer(this.env).bundle();
    return bundle.ok ? findStrayed(this.env.POLICIES, this.#ledger.shelf, bundle.value, Math.random()) : [];
  }

  async #adopted(edits: readonly Edit[]): Promise<readonly Change[] | undefined> {
    if (edits.length === 0) return [];
    const actor = { name: "kv", role: "control" } as const;
    const by = { actor, action: "policy.adopt", reason: "found in KV" } as const;
    const outcome = await this.#change(by, () => ({ kind: "edits", edits }));
    return outcome.kind === "answer" && outcome.answer.applied ? outcome.answer.changes : undefined;
  }

  /** An issuer that does not answer costs a warning about names that it knows, and no change. */
  async #learnFederated(): Promise<void> {
    const [names] = await Promise.allSettled([issuer(this.env).federated()]);
    if (names.status === "fulfilled") this.#judgement.federated(names.value);
  }

  /** Plans, judges and writes a change. Judging takes awaits, so it is done anew if the ledger moved meanwhile. */
  async #change(
    options: Authored &
      Pick<ApplyRequest, "dryRun" | "expectedRevision" | "strict"> & {
        readonly action: AuditAction;
        readonly issues?: readonly Issue[];
      },
    plan: (
      texts: Texts,
    ) =>
      | { readonly kind: "edits"; readonly edits: readonly Edit[] }
      | Exclude<ChangeOutcome, { kind: "answer" }>,
  ): Promise<ChangeOutcome> {
    await this.#learnFederated();
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const base = this.#ledger.revision();
      if (options.expectedRevision !== undefined && options.expectedRevision !== base)
        return moved(base, options.expectedRevision);
      const texts = this.#ledger.texts();
      const planned = plan(texts);
      if (planned.kind !== "edits") return planned;
      const changes = changesOf(texts, planned.edits);
      const edits = await Promise.all(
        planned.edits.map(async (edit) => ({ ...edit, digest: await digestOfText(edit.text ?? "") })),
      );
      const draft = await draftOf(options, edits, changes, base);
      const refused = async (issues: readonly Issue[]): Promise<ChangeOutcome> => {
        if (hasErrors(issues) && options.dryRun !== true)
          await this.#audit.attempt({ ...draft, revision: { before: base, after: base } }, Date.now());
        return { kind: "answer", answer: { revision: base, applied: false, changes, issues } };
      };
      if (hasErrors(options.issues ?? [])) return refused(options.issues ?? []);
      const next = edited(texts, planned.edits);
      const before =
        options.strict === true ? this.#judgement.look(texts, [], this.#ledger.ages.all()).issues : [];
      const now = Date.now();
      const ages = this.#ledger.ages.after(planned.edits, base + 1, now);
      const judged = await this.#judgement.judge(next, planned.edits, {
        ages,
        before: () => ({ texts, ages: this.#ledger.ages.all() }),
      });
      const found = options.strict === true ? strictly(judged.issues, before, planned.edits) : judged.issues;
      const issues = [...(options.issues ?? []), ...found];
      if (hasErrors(issues) || options.dryRun === true || !isChange(changes)) return refused(issues);
      const entry = {
        author: options.actor.name,
        reason: options.reason,
        at: new Date(now).toISOString(),
        digest: judged.digest,
        edits,
        changes,
        services: judged.services,
        ages,
      };
      const revision = await this.#audit.record(draft, now, () =>
        this.#ledger.revision() === base ? this.#ledger.commit(entry, now) : undefined,
      );
      if (revision === undefined) continue;
      for (const { ref } of planned.edits) this.#book.overrule(policyKey(ref));
      return { kind: "answer", answer: { revision, applied: true, changes, issues } };
    }
    const revision = this.#ledger.revision();
    return {
      kind: "conflict",
      revision,
      detail: `Too many changes at once; the newest revision is ${revision}. Try again.`,
    };
  }

  /**
   * Has every head signed that is not, that has used up half of its life, or that a former root key signed. Heads
   * stay as they are while the issuer has no secret; `check` says so.
   * @param rootKid of the root key in use, where it is known
   */
  async #signHeads(rootKid?: string): Promise<void> {
    const now = Date.now();
    const due = this.#ledger.shelf.heads().filter((head) => isDue(head, now, rootKid));
    if (due.length === 0) return;
    const answer = await issuer(this.env).signHeads(
      due.map(({ service, epoch, digest }) => ({ workload: service, epoch, digest })),
    );
    if (!answer.ok) return;
    const { signed, rootKid: by, expiresAt } = answer.value;
    due.forEach(({ service, epoch }, index) => {
      const jws = signed[index];
      if (jws !== undefined) this.#ledger.shelf.sign(service, epoch, jws, expiresAt, by);
    });
  }

  async #publishNow(): Promise<PublishAnswer> {
    const [bundle] = await Promise.allSettled([issuer(this.env).bundle()]);
    // Without the issuer the rest is published all the same; heads that are not signed stay due.
    const signed = bundle.status === "fulfilled" && bundle.value.ok ? bundle.value.value : undefined;
    await this.#signHeads(signed?.rootKid).catch(() => undefined);
    return publish(this.env.POLICIES, this.#ledger, this.#book, signed, Date.now());
  }
}

const hasErrors = (issues: readonly Issue[]): boolean => issues.some(({ severity }) => severity === "error");

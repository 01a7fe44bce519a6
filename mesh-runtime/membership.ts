import type { Background, Clock, Random } from "./foundation/ports.ts";
import type { Refusal } from "./foundation/refusal.ts";
import { no, ok, type Result } from "./foundation/result.ts";
import { credentialFrom, generateKeys, provePossession, renewalDue } from "./identity/credential.ts";
import { openDocument } from "./identity/signed-document.ts";
import { loadBundle, type TrustBundle } from "./identity/trust-bundle.ts";
import type { Credential, PublicJwk } from "./identity/words.ts";
import { load } from "./policy/load.ts";
import type { Loaded } from "./policy/loaded.ts";
import type { Head } from "./policy/snapshot.ts";
import type { CircuitBook } from "./resilience/circuit-book.ts";
import type { CircuitAnswer } from "./resilience/words.ts";
import type { Instruments } from "./telemetry/instruments.ts";
import {
  type ControlPort,
  contractVersion,
  type Declined,
  type JoinAnswer,
  type ReportAnswer,
} from "./workload-contract.ts";

/** What an isolate can start from when control does not answer: signed documents from KV under a pinned root. */
export interface ColdStart {
  readonly rootJwk: PublicJwk;
  readonly bundle: string;
  readonly head: string;
  readonly snapshot: string;
}

export interface MembershipPorts {
  /** Undefined when the worker has no binding to control; `missingControl` then says what to add. */
  readonly control: ControlPort | undefined;
  readonly missingControl: string;
  readonly coldStart: () => Promise<ColdStart | undefined>;
  /** Root key pinned at deploy time; absent: the key told at the first join is pinned for this isolate's life. */
  readonly pinnedRoot: PublicJwk | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly background: Background;
  readonly instruments: Instruments;
  readonly book: CircuitBook;
  /** One line for the operator. */
  readonly log: (line: string) => void;
  /** A fresh random name. */
  readonly uuid: () => string;
  /** A one-time join token, where the platform's word is not the evidence. */
  readonly joinToken?: string;
  /** `namespace/name` where it is configured; empty where control knows it from the binding. */
  readonly workload: string;
}

/** What this isolate holds once it belongs to the mesh. Replaced whole, never changed in place. */
export interface Member {
  readonly loaded: Loaded;
  readonly trust: TrustBundle;
  readonly rootKey: CryptoKey;
  readonly rootJwk: PublicJwk;
  /** Undefined after a start without control: verifying works, signing has to wait. */
  readonly credential: Credential | undefined;
}

export interface Membership {
  /** The present member state, joining first if there is none. No request waits for another's join: each makes its own, the first wins. */
  ready(): Promise<Result<Member, Refusal>>;
  current(): Member | undefined;
  /** After an exchange: sees to it that a report leaves soon, and that renewal is not forgotten. */
  touch(): void;
  /** Somebody knows epoch `epoch`: fetch it in the background if it is newer than ours. */
  hearEpoch(epoch: number): void;
  /** Reports now and takes in what comes back. */
  report(): Promise<void>;
  askPermit(circuit: string): Promise<CircuitAnswer | undefined>;
}

/** How long a join may take before the request gives up, milliseconds: a cold call into a Durable Object with room to spare. */
const joinTimeoutMs = 5_000;
/** How long a failed join is remembered, so that a flood of requests does not become a flood of joins, milliseconds. */
const rejoinAfterMs = 1_000;
/** How soon reports may follow each other when news is heard, milliseconds. */
const refreshGapMs = 200;
/** How long a report may be under way before it is taken for lost, milliseconds. */
const reportLeaseMs = 10_000;
/** How long an isolate keeps reporting after its last request, in reports: `waitUntil` ends after 30 s anyway. */
const trailingReports = 20;

export function membership(ports: MembershipPorts): Membership {
  const { clock, instruments, book } = ports;
  let member: Member | undefined;
  let isolate = "";
  let failure: { refusal: Refusal; until: number } | undefined;
  let nextReportAt = 0;
  let lastReportAt = 0;
  let checkedEpoch = 0;
  // Leases, not promises: whoever finds one expired goes ahead.
  let reportingUntil = 0;
  let pumpingUntil = 0;
  let renewingUntil = 0;

  const identity = (): string => {
    if (isolate === "") isolate = ports.uuid();
    return isolate;
  };

  async function ready(): Promise<Result<Member, Refusal>> {
    if (member !== undefined) return ok(member);
    if (failure !== undefined && failure.until > clock.now()) return no(failure.refusal);
    const joined = await enter();
    if (!joined.ok) ports.log(notJoined(joined.reason, clock.now()));
    if (!joined.ok) failure = { refusal: joined.reason, until: clock.now() + rejoinAfterMs };
    return joined;
  }

  /** Joins through control, else starts from KV. */
  async function enter(): Promise<Result<Member, Refusal>> {
    const joined = await join();
    if (joined.ok) {
      failure = undefined;
      member = newer(member, joined.value);
      return ok(member);
    }
    if (joined.reason.kind !== "mesh-not-ready") return joined;
    const cold = await startCold();
    if (cold === undefined) return joined;
    member = newer(member, cold);
    return ok(member);
  }

  async function join(): Promise<Result<Member, Refusal>> {
    const { control } = ports;
    if (control === undefined) return no({ kind: "misconfigured", detail: ports.missingControl });
    const keys = await generateKeys();
    const workload = member?.loaded.snapshot.workload ?? ports.workload;
    // One use: once there is a credential, its signature is the evidence.
    const token = member?.credential === undefined ? ports.joinToken : undefined;
    const evidence = token === undefined ? {} : { joinToken: token };
    const possession = await provePossession({
      ...keys,
      workload,
      trustDomain: member?.loaded.snapshot.trustDomain,
      ...evidence,
      now: clock.now(),
      jti: ports.uuid(),
    });
    const answer = await answered(
      control.join({
        version: contractVersion,
        isolate: identity(),
        publicJwk: keys.publicJwk,
        possession,
        workload,
        ...(member === undefined ? {} : { digest: member.loaded.digest }),
        ...evidence,
      }),
    );
    if (answer === undefined) return no(notReady("control did not answer the join"));
    if (!answer.ok) return no(declined(answer));
    const taken = await admit(answer);
    if (!taken.ok) {
      instruments.count("snapshot_refused");
      return no(notReady(taken.reason));
    }
    const credential = credentialFrom(answer.wit, keys, clock.now(), ports.random);
    if (!credential.ok) return no(notReady(credential.reason));
    for (const circuit of answer.circuits) book.learn(circuit, clock.now());
    return ok({ ...taken.value, credential: credential.value });
  }

  /** Verifies what a join brought, all or nothing. */
  async function admit(answer: JoinAnswer): Promise<Result<Omit<Member, "credential">, string>> {
    const root = ports.pinnedRoot ?? member?.rootJwk ?? answer.rootJwk;
    if (!sameKey(root, answer.rootJwk)) return no("the root key that control told is not the pinned one");
    const text = answer.snapshot;
    if (text === undefined && member === undefined) return no("control sent no snapshot");
    return open({ rootJwk: root, bundle: answer.bundle, head: answer.head, snapshot: text });
  }

  async function startCold(): Promise<Member | undefined> {
    const cold = await ports.coldStart();
    if (cold === undefined) return undefined;
    const opened = await open(cold);
    if (opened.ok) return { ...opened.value, credential: undefined };
    instruments.count("snapshot_refused");
    return undefined;
  }

  async function open(parts: {
    rootJwk: PublicJwk;
    bundle: string;
    head: string;
    snapshot: string | undefined;
  }): Promise<Result<Omit<Member, "credential">, string>> {
    const rootKey = member?.rootKey ?? (await importRoot(parts.rootJwk));
    const trust = await loadBundle(parts.bundle, rootKey, member?.trust, clock.now());
    if (!trust.ok) return trust;
    const loaded = await follow(parts.head, parts.snapshot, rootKey, trust.value.trustDomain);
    return loaded.ok
      ? ok({ loaded: loaded.value, trust: trust.value, rootKey, rootJwk: parts.rootJwk })
      : loaded;
  }

  /** From a signed head and the snapshot that it names to tables; the last good ones where the digest is theirs. */
  async function follow(
    signedHead: string,
    snapshot: string | undefined,
    rootKey: CryptoKey,
    trustDomain: string,
  ): Promise<Result<Loaded, string>> {
    const head = await openDocument<Head>(signedHead, "tulle-head+jwt", rootKey);
    if (!head.ok) return no(`the signed head cannot be verified: ${head.reason}`);
    const { workload, epoch, digest } = head.value;
    const held = member?.loaded;
    if (held !== undefined && workload !== held.snapshot.workload) return no(`the head is for ${workload}`);
    if (held !== undefined && epoch < held.epoch)
      return no(`epoch ${epoch} is older than ${held.epoch}, the one in force`);
    if (ports.workload !== "" && workload !== ports.workload) return no(`the head is for ${workload}`);
    if (held !== undefined && held.digest === digest) return ok({ ...held, epoch });
    if (snapshot === undefined) return no(`the snapshot of epoch ${epoch} is missing`);
    const loaded = await load(snapshot, { epoch, digest }, workload);
    if (loaded.ok && loaded.value.snapshot.trustDomain !== trustDomain) {
      return no("the snapshot and the trust bundle are of different trust domains");
    }
    return loaded;
  }

  async function report(): Promise<void> {
    const { control } = ports;
    const now = clock.now();
    if (control === undefined || member === undefined || reportingUntil > now) return;
    reportingUntil = now + reportLeaseMs;
    lastReportAt = now;
    const circuits = book.drain();
    const batch = instruments.drain();
    try {
      const { loaded, trust } = member;
      const answer = await answered(
        control.report({
          version: contractVersion,
          isolate: identity(),
          workload: loaded.snapshot.workload,
          id: ports.uuid(),
          epoch: loaded.epoch,
          digest: loaded.digest,
          bundleSequence: trust.sequence,
          circuits,
          edges: batch.edges,
          spans: batch.spans,
          counters: batch.counters,
        }),
      );
      if (answer?.ok) await learn(answer);
      else {
        // Silence may be a passing fault, so it is tried again; what control has read and declined would be declined for ever.
        if (answer === undefined) {
          book.restore(circuits);
          instruments.restore(batch);
        }
        instruments.count(answer === undefined ? "reports_unanswered" : "reports_declined");
        nextReportAt = clock.now() + rejoinAfterMs;
      }
    } finally {
      reportingUntil = 0;
    }
  }

  /** Takes in an answer. What cannot be verified changes nothing and is counted. */
  async function learn(answer: ReportAnswer): Promise<void> {
    const now = clock.now();
    nextReportAt = now + Math.max(100, answer.nextReportMs);
    for (const circuit of answer.circuits) book.learn(circuit, now);
    if (member === undefined) return;
    if (answer.bundle !== undefined) {
      const trust = await loadBundle(answer.bundle, member.rootKey, member.trust, now);
      if (trust.ok) member = { ...member, trust: trust.value };
      else instruments.count("bundle_refused");
    }
    if (answer.head === undefined) {
      checkedEpoch = Math.max(checkedEpoch, answer.epoch);
      return;
    }
    const { rootKey, trust } = member;
    const loaded = await follow(answer.head, answer.snapshot, rootKey, trust.trustDomain);
    if (loaded.ok) {
      member = { ...member, loaded: loaded.value };
      checkedEpoch = Math.max(checkedEpoch, answer.epoch);
    } else instruments.count("snapshot_refused");
  }

  function touch(): void {
    const now = clock.now();
    if (member === undefined) return;
    if (member.credential === undefined || renewalDue(member.credential, now)) renew(now);
    if (pumpingUntil > now) return;
    pumpingUntil = now + reportLeaseMs;
    ports.background.run(pump());
  }

  /** Reports when it is time, and again while there is something to say. */
  async function pump(): Promise<void> {
    try {
      for (let round = 0; round < trailingReports; round++) {
        const delay = Math.min(reportLeaseMs / 2, Math.max(0, nextReportAt - clock.now()));
        pumpingUntil = clock.now() + delay + reportLeaseMs;
        if (delay > 0) await ports.wait(delay);
        await report();
        if (instruments.empty() && book.quiet()) return;
      }
    } finally {
      pumpingUntil = 0;
    }
  }

  function renew(now: number): void {
    if (renewingUntil > now) return;
    renewingUntil = now + joinTimeoutMs + rejoinAfterMs;
    const renewal = async (): Promise<void> => {
      const joined = await join();
      if (joined.ok) {
        member = newer(member, joined.value);
        renewingUntil = 0;
      } else instruments.count("renewals_failed");
    };
    ports.background.run(renewal());
  }

  function hearEpoch(epoch: number): void {
    if (member === undefined || epoch <= Math.max(member.loaded.epoch, checkedEpoch)) return;
    if (clock.now() - lastReportAt < refreshGapMs) return;
    ports.background.run(report());
  }

  /** Asks the authority of one circuit for the permit to probe; bounded, so that the asking request is not held up. */
  async function askPermit(circuit: string): Promise<CircuitAnswer | undefined> {
    const { control } = ports;
    if (control === undefined || member === undefined) return undefined;
    const { loaded, trust } = member;
    const ask = {
      circuit,
      success: 0,
      failure: 0,
      overload: 0,
      evidence: false,
      incarnation: 0,
      epoch: 0,
      ask: true,
    };
    const answer = await answered(
      control.report({
        version: contractVersion,
        isolate: identity(),
        workload: loaded.snapshot.workload,
        id: ports.uuid(),
        epoch: loaded.epoch,
        digest: loaded.digest,
        bundleSequence: trust.sequence,
        circuits: [ask],
        edges: [],
        spans: [],
        counters: {},
      }),
    );
    return answer?.ok ? answer.circuits.find((each) => each.verdict.circuit === circuit) : undefined;
  }

  /** An answer within the time limit, or undefined: an unreachable control plane costs freshness, never a request. */
  async function answered<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
    const end = new AbortController();
    const tooLate = ports.wait(joinTimeoutMs, end.signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([asked, tooLate]);
    } catch {
      // Whatever broke between us and control, the caller treats it as silence and counts it.
      return undefined;
    } finally {
      end.abort();
    }
  }

  return { ready, current: () => member, touch, hearEpoch, report, askPermit };
}

/** Of two states the one with the newer policy; its credential is the one that was fetched last. */
function newer(held: Member | undefined, come: Member): Member {
  if (held === undefined || come.loaded.epoch >= held.loaded.epoch) return come;
  return { ...held, credential: come.credential ?? held.credential };
}

/** Told once for each join that failed, not once for each request that it fails. */
function notJoined(refusal: Refusal, now: number): string {
  const reason = "detail" in refusal ? refusal.detail : refusal.kind;
  return JSON.stringify({ time: new Date(now).toISOString(), event: refusal.kind, reason });
}

const notReady = (detail: string): Refusal => ({
  kind: "mesh-not-ready",
  detail,
  retryAfterMs: rejoinAfterMs,
});

function declined(answer: Declined): Refusal {
  if (answer.reason === "not-ready") return notReady(answer.detail);
  return { kind: "misconfigured", detail: `${answer.detail} ${answer.remedy}` };
}

const sameKey = (a: PublicJwk, b: PublicJwk): boolean => a.x === b.x && a.y === b.y;

function importRoot(jwk: PublicJwk): Promise<CryptoKey> {
  const { kty, crv, x, y } = jwk;
  return crypto.subtle.importKey("jwk", { kty, crv, x, y }, { name: "ECDSA", namedCurve: "P-256" }, false, [
    "verify",
  ]);
}

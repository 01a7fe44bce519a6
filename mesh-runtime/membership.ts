import { type Asking, answeredWithin, answerTimeoutMs, asking } from "./asking.ts";
import type { Background, Clock, Random } from "./foundation/ports.ts";
import type { Refusal } from "./foundation/refusal.ts";
import { no, ok, type Result } from "./foundation/result.ts";
import { believes, credentialFrom, generateKeys, renewalDue, renewalRetryMs } from "./identity/credential.ts";
import type { MakeOpener } from "./identity/sealed-keys.ts";
import type { TrustBundle } from "./identity/trust-bundle.ts";
import type { Credential, PublicJwk } from "./identity/words.ts";
import { evidence, vouched } from "./join-evidence.ts";
import { sessionKeysIn } from "./join-keys.ts";
import { declined, notJoined, notReady, rejoinAfterMs } from "./join-refusal.ts";
import {
  type ColdStart,
  follow,
  type Member,
  type NotTaken,
  newer,
  nextRootOf,
  open,
  trust,
} from "./member.ts";
import type { CircuitBook } from "./resilience/circuit-book.ts";
import { sentAgain } from "./resilience/circuit-pending.ts";
import type { Instruments } from "./telemetry/instruments.ts";
import {
  type ControlPort,
  contractVersion,
  type JoinAnswer,
  type ReportAnswer,
  type ReportRequest,
} from "./workload-contract.ts";

export interface MembershipPorts {
  /** Undefined when the worker has no binding to control; `missingControl` then says what to add. */
  readonly control: ControlPort | undefined;
  readonly missingControl: string;
  readonly coldStart: () => Promise<ColdStart | undefined>;
  /**
   * Root keys pinned at deploy time, two while the root rolls; absent: the key told at the first join is pinned for
   * this isolate's life, and those that bundles signed by it name after it.
   */
  readonly pinnedRoots: readonly PublicJwk[] | undefined;
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
  /**
   * Has the platform vouch for a new key, by its RFC 7638 thumbprint, where it can: asked for each credential, since
   * what it says is for one key. @returns a token for the issuer
   */
  readonly attest?: (thumbprint: string) => Promise<string>;
  /** What opens a service's keys for sessions, where joins go over a network. Absent: they go over a binding. */
  readonly sealing?: MakeOpener;
  /** `namespace/name` where it is configured; empty where control knows it from the binding. */
  readonly workload: string;
}

export interface Membership extends Asking {
  /** The present member state, joining first if there is none. No request waits for another's join: each makes its own, the first wins. */
  ready(): Promise<Result<Member, Refusal>>;
  current(): Member | undefined;
  /**
   * What to sign with. Whoever finds that it has expired fetches a new one itself: an isolate may have slept
   * through its renewal, or have started without control. Undefined when control does not answer.
   */
  credential(): Credential | undefined | Promise<Credential | undefined>;
  /** After an exchange: sees to it that a report leaves soon, and that renewal is not forgotten. */
  touch(): void;
  /** Somebody knows epoch `epoch`: fetch it in the background if it is newer than ours. */
  hearEpoch(epoch: number): void;
  /** Reports now and takes in what comes back. False when another report is under way: nobody waits for it. */
  report(): Promise<boolean>;
  /**
   * The newest trust bundle that can be had: asks control, a few times in ten seconds at most, because whoever sends
   * tokens with invented keys could have it asked. For a caller whose token is newer than what this isolate knows.
   */
  refreshTrust(): Promise<TrustBundle | undefined>;
}

/** How soon reports may follow each other when news is heard, milliseconds. */
const refreshGapMs = 200;
/** How long a report may be under way before it is taken for lost, milliseconds. */
const reportLeaseMs = 10_000;
/** How often the newest bundle is asked for out of turn, in each {@link refreshesWithinMs}. */
const mostRefreshes = 8;
const refreshesWithinMs = 10_000;
/** How long an isolate keeps reporting after its last request, in reports: `waitUntil` ends after 30 s anyway. */
const trailingReports = 20;

export function membership(ports: MembershipPorts): Membership {
  const { clock, instruments, book } = ports;
  const answered = answeredWithin(ports.wait);
  let member: Member | undefined;
  let isolate = "";
  let failure: { refusal: Refusal; until: number } | undefined;
  let nextReportAt = 0;
  let lastReportAt = 0;
  let checkedEpoch = 0;
  let unanswered: { readonly request: ReportRequest; readonly gatheredAt: number } | undefined;
  // Leases, not promises: whoever finds one expired goes ahead.
  let reportingUntil = 0;
  let pumpingUntil = 0;
  let renewingUntil = 0;
  let failedRenewals = 0;
  let unrenewedUntil = 0;
  let refreshes = { count: 0, until: 0 };

  const pinned = ports.pinnedRoots;
  const held = () => ({ member, workload: ports.workload, pinned, now: clock.now() });
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
    // A runtime that cannot make one is signed to.
    const opener = await ports.sealing?.().catch(() => undefined);
    let why = "the platform did not vouch for this process in time";
    const failed =
      (what: string) =>
      (error: unknown): void => {
        why = `${what}: ${error instanceof Error ? error.message : typeof error}`;
      };
    const stated = await answered(
      vouched(ports.attest, keys),
      failed("the platform did not vouch for this process"),
    );
    if (stated === undefined) return no(notReady(why));
    const shown = await evidence({
      ...keys,
      ...stated,
      workload: member?.loaded.snapshot.workload ?? ports.workload,
      trustDomain: member?.loaded.snapshot.trustDomain,
      // One use: once there is a credential, its signature is the evidence.
      joinToken: member?.credential === undefined ? ports.joinToken : undefined,
      sealingKey: opener?.sealingKey,
      now: clock.now(),
      jti: ports.uuid(),
    });
    why = "control did not answer the join in time";
    const answer = await answered(
      control.join({
        version: contractVersion,
        isolate: identity(),
        ...shown,
        ...(member === undefined ? {} : { digest: member.loaded.digest }),
      }),
      failed("control did not answer the join"),
    );
    if (answer === undefined) return no(notReady(why));
    if (!answer.ok) return no(declined(answer));
    const taken = await admit(answer);
    if (!taken.ok) return no(notReady(refused(taken.reason)));
    const credential = credentialFrom(answer.wit, keys, clock.now(), ports.random);
    if (!credential.ok) return no(notReady(credential.reason));
    const { spiffeId } = taken.value.loaded.snapshot;
    const { uri } = credential.value.id;
    const unlike = `the policy is for ${spiffeId}, the token for ${uri}`;
    if (uri !== spiffeId) return no(notReady(refused({ what: "snapshot", why: unlike })));
    for (const circuit of answer.circuits) book.learn(circuit, clock.now());
    const sessionKeys = await sessionKeysIn(answer, taken.value.roots, { ...ports, opener });
    return ok({ ...taken.value, credential: { ...credential.value, sessionKeys } });
  }

  /** Verifies what a join brought, all or nothing. */
  function admit(answer: JoinAnswer): Promise<Result<Omit<Member, "credential">, NotTaken>> {
    const { rootJwk, bundle, head, snapshot } = answer;
    return open({ rootJwk, bundle, head, snapshot }, held());
  }

  /** Counts what was not taken, for the operator. */
  function refused({ what, why }: NotTaken): string {
    instruments.count(what === "snapshot" ? "snapshot_refused" : "bundle_refused");
    return why;
  }

  async function startCold(): Promise<Member | undefined> {
    const cold = await ports.coldStart();
    if (cold === undefined) return undefined;
    const opened = await open({ ...cold, rootJwk: undefined }, held());
    if (opened.ok) return { ...opened.value, credential: undefined };
    refused(opened.reason);
    return undefined;
  }

  async function report(): Promise<boolean> {
    const { control } = ports;
    const now = clock.now();
    if (control === undefined || member === undefined) return true;
    if (reportingUntil > now) return false;
    reportingUntil = now + reportLeaseMs;
    lastReportAt = now;
    const { request, gatheredAt } = unanswered ?? { request: gathered(member), gatheredAt: now };
    const circuits = sentAgain(request.circuits, now - gatheredAt);
    try {
      const answer = await answered(control.report({ ...request, circuits }));
      // Silence may hide that control has counted it: so it goes again under the same id, and counts once.
      // What control has read and declined, it would decline for ever.
      unanswered = answer === undefined ? { request, gatheredAt } : undefined;
      if (answer?.ok) await learn(answer);
      else {
        instruments.count(answer === undefined ? "reports_unanswered" : "reports_declined");
        nextReportAt = clock.now() + rejoinAfterMs;
        // Our credential is not believed any more; where the platform vouches for us, another one can be had.
        if (answer?.reason === "not-attested" && ports.attest !== undefined) renew(clock.now());
      }
      return true;
    } finally {
      reportingUntil = 0;
    }
  }

  /** Everything since the last report, taken out of where it was counted. */
  function gathered(from: Member): ReportRequest {
    const malformed = book.takeMalformed();
    if (malformed > 0) instruments.count("gossip_malformed", malformed);
    return { ...emptyReport(from), circuits: book.drain(), ...instruments.drain() };
  }

  /** A report that says no more than who speaks and what runs here. */
  function emptyReport({ loaded, trust, roots }: Member): ReportRequest {
    const nextRoot = nextRootOf({ trust, roots });
    return {
      version: contractVersion,
      isolate: identity(),
      workload: loaded.snapshot.workload,
      id: ports.uuid(),
      epoch: loaded.epoch,
      digest: loaded.digest,
      bundleSequence: trust.sequence,
      ...(nextRoot === undefined ? {} : { nextRoot }),
      circuits: [],
      edges: [],
      spans: [],
      counters: {},
    };
  }

  /** Takes in an answer. What cannot be verified changes nothing and is counted. */
  async function learn(answer: ReportAnswer): Promise<void> {
    const now = clock.now();
    nextReportAt = now + Math.max(100, answer.nextReportMs);
    for (const circuit of answer.circuits) book.learn(circuit, now);
    if (member === undefined) return;
    if (answer.bundle !== undefined) await learnTrust(answer.bundle, member);
    if (answer.head === undefined) {
      checkedEpoch = Math.max(checkedEpoch, answer.epoch);
      return;
    }
    const loaded = await follow(answer.head, answer.snapshot, member, held());
    // A head behind what control itself says is one that was rolled back.
    if (loaded.ok && loaded.value.epoch >= answer.epoch) {
      member = newer(member, { ...member, loaded: loaded.value });
    } else instruments.count("snapshot_refused");
  }

  /** Takes a bundle in. What it does not believe any more is not signed with: another credential is fetched. */
  async function learnTrust(bundle: string, from: Member): Promise<void> {
    const learned = await trust(bundle, from.roots, held());
    if (!learned.ok) {
      refused({ what: "bundle", why: learned.reason });
      return;
    }
    member = newer(member, { ...from, ...learned.value });
    const { credential } = member;
    if (credential === undefined || (await believes(member.trust, credential))) return;
    if (member.credential === credential) member = { ...member, credential: undefined };
    renew(clock.now());
  }

  async function refreshTrust(): Promise<TrustBundle | undefined> {
    const { control } = ports;
    const now = clock.now();
    if (now >= refreshes.until) refreshes = { count: 0, until: now + refreshesWithinMs };
    if (control === undefined || member === undefined || refreshes.count >= mostRefreshes) return undefined;
    refreshes = { ...refreshes, count: refreshes.count + 1 };
    const answer = await answered(control.report(emptyReport(member)));
    if (answer?.ok && answer.bundle !== undefined) await learnTrust(answer.bundle, member);
    return member.trust;
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
        const delay = delayMs(clock.now());
        pumpingUntil = clock.now() + delay + reportLeaseMs;
        if (delay > 0) await ports.wait(delay);
        await report();
        if (unanswered === undefined && instruments.empty() && book.quiet()) return;
      }
    } finally {
      pumpingUntil = 0;
    }
  }

  /** Until the next report: when control wants it, or sooner where a circuit has something urgent to say. */
  function delayMs(now: number): number {
    const due = Math.max(0, nextReportAt - now);
    // A control that does not answer is not asked faster because a circuit is in a hurry.
    const urgent = unanswered === undefined ? book.dueInMs(now) : undefined;
    return Math.min(reportLeaseMs / 2, due, urgent ?? due);
  }

  function renew(now: number): void {
    if (renewingUntil > now) return;
    // The platform's word, and then the join: each in its time.
    renewingUntil = now + 2 * answerTimeoutMs + rejoinAfterMs;
    const renewal = async (): Promise<void> => {
      const isRenewed = (await renewed()) !== undefined;
      failedRenewals = isRenewed ? 0 : failedRenewals + 1;
      renewingUntil = isRenewed ? 0 : clock.now() + renewalRetryMs(failedRenewals, ports.random);
    };
    ports.background.run(renewal());
  }

  /** A new credential, and whatever else a join brings. */
  async function renewed(): Promise<Credential | undefined> {
    const joined = await join();
    if (joined.ok) {
      member = newer(member, joined.value);
      return member.credential;
    }
    instruments.count("renewals_failed");
    unrenewedUntil = clock.now() + rejoinAfterMs;
    return undefined;
  }

  function credential(): Credential | undefined | Promise<Credential | undefined> {
    const now = clock.now();
    const present = member?.credential;
    if (present !== undefined && present.expiresAt > now) return present;
    return unrenewedUntil > now ? undefined : renewed();
  }

  function hearEpoch(epoch: number): void {
    if (member === undefined || epoch <= Math.max(member.loaded.epoch, checkedEpoch)) return;
    if (clock.now() - lastReportAt < refreshGapMs) return;
    ports.background.run(report());
  }

  return {
    ready,
    current: () => member,
    credential,
    touch,
    hearEpoch,
    report,
    refreshTrust,
    ...asking({ control: ports.control, answered, member: () => member, emptyReport }),
  };
}

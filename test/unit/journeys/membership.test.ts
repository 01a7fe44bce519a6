import { CompactSign } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeys, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { bundleType } from "../../../mesh-runtime/identity/trust-bundle.ts";
import { type Membership, membership } from "../../../mesh-runtime/membership.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import type {
  AdmitAnswer,
  AdmitRequest,
  ControlPort,
  Declined,
  JoinRequest,
} from "../../../mesh-runtime/workload-contract.ts";
import { documents, service } from "../policy/writing.ts";

const start = 1_790_000_000_000;
const startS = start / 1_000;

let snapshot: Snapshot;
let root: WorkloadKeys;
let issuers: readonly [WorkloadKeys, WorkloadKeys];
beforeAll(async () => {
  const [first, second, third] = await Promise.all([generateKeys(), generateKeys(), generateKeys()]);
  root = first;
  issuers = [second, third];
  const compiled = compile(documents(service("web"))).get("default/web");
  if (compiled === undefined) throw new Error("nothing was compiled");
  snapshot = compiled;
});

/** A control whose newest bundle and signing key a test can change. */
class StandIn implements ControlPort {
  sequence = 1;
  /** Which of the two issuer keys signs and is published. */
  turn: 0 | 1 = 0;
  revoked: readonly object[] = [];
  signedBy = root;
  joins = 0;
  reports = 0;

  async join({ publicJwk }: JoinRequest) {
    this.joins++;
    const claims = {
      sub: snapshot.spiffeId,
      iat: startS,
      exp: startS + 3_600,
      jti: `token-${this.joins}`,
      cnf: { jwk: publicJwk },
    };
    const wit = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "ES256", typ: "wit+jwt", kid: `issuer-${this.turn}` })
      .sign(issuers[this.turn].privateKey);
    const text = canonicalJson(snapshot);
    const head = { workload: "default/web", epoch: 1, digest: await digestOf(text), iat: startS };
    return {
      ok: true as const,
      trustDomain: snapshot.trustDomain,
      wit,
      rootJwk: root.publicJwk,
      bundle: await this.#bundle(),
      head: await signDocument(head, "tulle-head+jwt", "root", root.privateKey),
      snapshot: text,
      circuits: [],
    };
  }

  async report({ bundleSequence }: { readonly bundleSequence: number }) {
    this.reports++;
    const newer = this.sequence > bundleSequence ? { bundle: await this.#bundle() } : {};
    return { ok: true as const, epoch: 1, circuits: [], nextReportMs: 1_000, ...newer };
  }

  /** What became of proofs that were asked about; silent while a test says so. */
  readonly asked: AdmitRequest[] = [];
  silent = false;

  admit = async (request: AdmitRequest): Promise<AdmitAnswer | Declined> => {
    this.asked.push(request);
    if (this.silent) throw new Error("no such method");
    return { ok: true, verdict: "fresh", watch: "w1" };
  };

  #bundle(): Promise<string> {
    const payload = {
      trustDomain: snapshot.trustDomain,
      sequence: this.sequence,
      iat: startS,
      exp: startS + 86_400,
      keys: [{ ...issuers[this.turn].publicJwk, kid: `issuer-${this.turn}`, use: "wit-svid" }],
      revoked: this.revoked,
    };
    return signDocument(payload, bundleType, "root", this.signedBy.privateKey);
  }
}

let now = start;
let control: StandIn;
let members: Membership;
let instruments: Instruments;
let background: Promise<unknown>[];
/** How a limit of time passes: never, unless a test lets it. */
let patience: (ms: number) => Promise<void>;

beforeEach(async () => {
  patience = () => new Promise(() => undefined);
  now = start;
  control = new StandIn();
  instruments = new Instruments();
  background = [];
  members = membership({
    control,
    missingControl: "",
    coldStart: async () => undefined,
    pinnedRoots: undefined,
    clock: { now: () => now },
    random: () => 0.5,
    wait: (ms) => patience(ms),
    background: { run: (work) => background.push(work) },
    instruments,
    book: new CircuitBook(() => 0.5),
    log: () => undefined,
    uuid: () => crypto.randomUUID(),
    workload: "",
  });
  expect((await members.ready()).ok).toBe(true);
});

const counted = (counter: string): number => instruments.drain().counters[counter] ?? 0;

describe("a bundle that is asked for out of turn", () => {
  test("is the newest one", async () => {
    control.sequence = 2;
    expect((await members.refreshTrust())?.sequence).toBe(2);
    expect(members.current()?.trust.sequence).toBe(2);
  });

  test("is asked for eight times in ten seconds, whoever wants it", async () => {
    for (let ask = 0; ask < 20; ask++) await members.refreshTrust();
    expect(control.reports).toBe(8);
    now += 10_000;
    await members.refreshTrust();
    expect(control.reports).toBe(9);
  });

  test("is not waited for by two: each asks itself", async () => {
    control.sequence = 2;
    const both = await Promise.all([members.refreshTrust(), members.refreshTrust()]);
    expect(both.map((trust) => trust?.sequence)).toEqual([2, 2]);
    expect(control.reports).toBe(2);
  });
});

describe("a bundle that comes with a report", () => {
  test("changes nothing and is counted when no root key signed it", async () => {
    control.sequence = 2;
    control.signedBy = issuers[0];
    await members.report();
    expect(members.current()?.trust.sequence).toBe(1);
    expect(counted("bundle_refused")).toBe(1);
  });

  test("keeps the credential while it believes it", async () => {
    const { credential } = members.current() ?? {};
    control.sequence = 2;
    control.revoked = [{ jti: "of another" }, { sub: snapshot.spiffeId, before: startS }];
    await members.report();
    expect(members.current()?.credential).toBe(credential);
    expect(control.joins).toBe(1);
  });

  test.each<[what: string, change: () => Partial<Pick<StandIn, "turn" | "revoked">>]>([
    ["lacks the key that signed the credential", () => ({ turn: 1 })],
    ["revokes the token", () => ({ revoked: [{ jti: "token-1" }] })],
    [
      "revokes the workload's tokens until now",
      () => ({ revoked: [{ sub: snapshot.spiffeId, before: startS + 1 }] }),
    ],
  ])("has another credential fetched at once when it %s", async (_what, change) => {
    const { credential } = members.current() ?? {};
    Object.assign(control, change(), { sequence: 2 });
    await members.report();
    await Promise.all(background);
    expect(control.joins).toBe(2);
    expect(members.current()?.credential).toBeDefined();
    expect(members.current()?.credential).not.toBe(credential);
  });
});

describe("the question whether a proof was used", () => {
  const proof = { sender: "s", nonce: "n", created: startS, expires: startS + 30, watch: "" };

  test("is asked for the workload itself", async () => {
    expect(await members.askAdmission(proof, 2_000)).toMatchObject({ verdict: "fresh", watch: "w1" });
    expect(control.asked).toEqual([{ version: 1, workload: "default/web", ...proof }]);
  });

  test("has no answer where control knows no such verb, is silent, or is late", async () => {
    control.silent = true;
    expect(await members.askAdmission(proof, 2_000)).toBeUndefined();
    control.admit = async () => ({ ok: false, reason: "not-ready", detail: "", remedy: "" });
    expect(await members.askAdmission(proof, 2_000)).toBeUndefined();
    control.admit = () => new Promise(() => undefined);
    patience = async (ms) => {
      expect(ms).toBe(300);
    };
    expect(await members.askAdmission(proof, 300)).toBeUndefined();
  });
});

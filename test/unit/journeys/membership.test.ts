import { decodeJwt } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sha256Text } from "../../../mesh-runtime/identity/bytes.ts";
import { generateKeys, jwkThumbprint, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { type Membership, type MembershipPorts, membership } from "../../../mesh-runtime/membership.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import { type ControlWorld, controlWorld, StandIn, start, startS } from "./control-stand-in.ts";

let snapshot: Snapshot;
let root: WorkloadKeys;
let issuers: readonly [WorkloadKeys, WorkloadKeys];
let world: ControlWorld;
beforeAll(async () => {
  world = await controlWorld();
  ({ snapshot, root, issuers } = world);
});

let now = start;
let control: StandIn;
let ports: MembershipPorts;
let members: Membership;
let instruments: Instruments;
let background: Promise<unknown>[];
/** How a limit of time passes: never, unless a test lets it. */
let patience: (ms: number) => Promise<void>;

beforeEach(async () => {
  patience = () => new Promise(() => undefined);
  now = start;
  control = new StandIn(world);
  instruments = new Instruments();
  background = [];
  ports = {
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
  };
  members = membership(ports);
  expect((await members.ready()).ok).toBe(true);
});

const counted = (counter: string): number => instruments.drain().counters[counter] ?? 0;

describe("a join whose token is for another identity than the policy is for", () => {
  const another = "spiffe://mesh.local/ns/default/sa/payments";

  test("is none: a worker would sign as one, and judge its callers as another", async () => {
    control.sub = another;
    const joining = membership(ports);
    const detail = `the policy is for ${snapshot.spiffeId}, the token for ${another}`;
    expect(await joining.ready()).toMatchObject({ ok: false, reason: { kind: "mesh-not-ready", detail } });
    expect(joining.current()).toBeUndefined();
    expect(counted("snapshot_refused")).toBe(1);
    control.sub = undefined;
    now += 10_000;
    expect((await joining.ready()).ok).toBe(true);
  });

  test("renews nothing: the credential in force stays", async () => {
    const { credential } = members.current() ?? {};
    control.sub = another;
    now = credential?.renewAt ?? 0;
    members.touch();
    await Promise.all(background.slice(0, 1));
    expect([control.joins, members.current()?.credential === credential]).toEqual([2, true]);
  });
});

describe("a next root key", () => {
  test("is told of in reports from when it is believed, until it is the only one", async () => {
    const next = await generateKeys();
    const report = async (...roots: readonly WorkloadKeys[]) => {
      control.roots = roots.map(({ publicJwk }) => publicJwk);
      control.sequence++;
      await members.report();
    };
    await report(root);
    await report(root, next);
    await report(root, next);
    control.signedBy = next;
    await report(next);
    await report(next);
    expect(control.nextRoots).toEqual([undefined, undefined, next.publicJwk.x, next.publicJwk.x, undefined]);
  });
});

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

describe("a credential is renewed", () => {
  const half = 1_800_000;
  beforeEach(() => {
    // Reports are not waited for; only the limits of time, which are 5 s, never pass.
    patience = (ms) => (ms === 5_000 ? new Promise(() => undefined) : Promise.resolve());
  });
  /** Lets time pass, and a hundred requests arrive at once. */
  const touchAt = async (at: number): Promise<number> => {
    now = start + at;
    for (let request = 0; request < 100; request++) members.touch();
    await Promise.all(background);
    return control.joins;
  };

  test("at half of its life and not before, once for however many requests", async () => {
    expect(await touchAt(half - 1)).toBe(1);
    expect(await touchAt(half)).toBe(2);
  });

  test("up to a tenth of that earlier or later, as each isolate draws it: they do not renew together", async () => {
    const times = [0, 0.25, 0.999_999].map(async (drawn) => {
      const own = membership({ ...ports, random: () => drawn });
      await own.ready();
      return (own.current()?.credential?.renewAt ?? 0) - start;
    });
    expect((await Promise.all(times)).map(Math.round)).toEqual(
      [0.9, 0.95, 1.1].map((share) => Math.round(share * half)),
    );
  });

  test("again when that failed, ever more rarely, so that a mesh does not fall upon an issuer that comes back", async () => {
    control.failing = 100;
    let tries = await touchAt(half);
    expect(tries).toBe(2);
    const waits: number[] = [];
    for (let at = half, last = half; waits.length < 7; at += 500) {
      const joins = await touchAt(at);
      if (joins === tries) continue;
      tries = joins;
      waits.push(at - last);
      last = at;
    }
    // Three quarters of 6, 12, 24, 48, 96, 120 and 120 s: half of each is drawn, and 0.5 is drawn here.
    expect(waits).toEqual([4_500, 9_000, 18_000, 36_000, 72_000, 90_000, 90_000]);
    expect(members.current()?.credential).toBeDefined();
  });

  test("and the waits begin anew once it succeeded", async () => {
    control.failing = 1;
    await touchAt(half);
    expect(await touchAt(half + 4_500)).toBe(3);
    expect(await touchAt(half + 4_501)).toBe(4);
  });
});

describe("where the platform vouches for a process", () => {
  const vouched: string[] = [];
  const attest = async (thumbprint: string): Promise<string> => {
    vouched.push(thumbprint);
    return `token for ${thumbprint}`;
  };
  const th = (possession: string): unknown => decodeJwt(possession).th;

  test("it does so for each new key, and the proof of possession binds its very token", async () => {
    vouched.length = 0;
    control.joined.length = 0;
    const own = membership({ ...ports, attest, joinToken: "not used" });
    await own.ready();
    now = start + 1_800_000;
    own.touch();
    await Promise.all(background);
    expect(control.joined).toHaveLength(2);
    for (const [index, { publicJwk, idToken, joinToken, possession }] of control.joined.entries()) {
      expect(vouched[index]).toBe(await jwkThumbprint(publicJwk));
      expect([idToken, joinToken]).toEqual([`token for ${vouched[index]}`, undefined]);
      expect(th(possession)).toBe(await sha256Text(idToken ?? ""));
    }
    expect(new Set(vouched).size).toBe(2);
  });

  test("nobody joins while it does not, and whoever calls is told to come again", async () => {
    const before = control.joins;
    const own = membership({
      ...ports,
      attest: async () => {
        throw new Error("the metadata service is away");
      },
    });
    const refused = await own.ready();
    expect(refused).toMatchObject({
      ok: false,
      reason: { kind: "mesh-not-ready", detail: expect.stringContaining("metadata service is away") },
    });
    expect(control.joins).toBe(before);
  });

  test.each([true, false])(
    "a credential that control does not believe any more is replaced: %s",
    async (can) => {
      const own = membership({ ...ports, ...(can ? { attest } : {}) });
      await own.ready();
      const joins = control.joins;
      const reason = "not-attested" as const;
      control.report = async () => ({ ok: false, reason, detail: "", remedy: "" }) as never;
      await own.report();
      await Promise.all(background);
      expect(control.joins - joins).toBe(can ? 1 : 0);
    },
  );
});

import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { bundleType } from "../../../mesh-runtime/identity/trust-bundle.ts";
import type { PublicJwk } from "../../../mesh-runtime/identity/words.ts";
import { type Held, type Member, newer, nextRootOf, open } from "../../../mesh-runtime/member.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { documents, service } from "../policy/writing.ts";

const now = 1_790_000_000_000;
const nowS = now / 1_000;
const day = 86_400;
const workload = "default/web";

let snapshot: string;
let digest: string;
let trustDomain: string;
let root: WorkloadKeys;
let next: WorkloadKeys;
let issuer: WorkloadKeys;
beforeAll(async () => {
  [root, next, issuer] = await Promise.all([generateKeys(), generateKeys(), generateKeys()]);
  const compiled = compile(documents(service("web"))).get(workload);
  snapshot = canonicalJson(compiled);
  digest = await digestOf(snapshot);
  trustDomain = compiled?.trustDomain ?? "";
});

type Changed = Readonly<Record<string, unknown>>;
const bundle = (changed: Changed = {}, by = root): Promise<string> =>
  signDocument(
    {
      trustDomain,
      sequence: 7,
      iat: nowS,
      exp: nowS + day,
      keys: [{ ...issuer.publicJwk, kid: "issuer", use: "wit-svid" }],
      revoked: [],
      ...changed,
    },
    bundleType,
    "root",
    by.privateKey,
  );
const head = (changed: Changed = {}, by = root): Promise<string> =>
  signDocument(
    { workload, epoch: 5, digest, iat: nowS, exp: nowS + 7 * day, ...changed },
    "tulle-head+jwt",
    "root",
    by.privateKey,
  );

const fresh: Held = { member: undefined, workload: "", pinned: undefined, now };

interface Brought {
  readonly bundle?: Promise<string>;
  readonly head?: Promise<string>;
  /** What control tells; `null`: nobody tells. */
  readonly told?: PublicJwk | null;
}

async function opened(brought: Brought = {}, held: Partial<Held> = {}) {
  const { told = root.publicJwk } = brought;
  const parts = {
    bundle: await (brought.bundle ?? bundle()),
    head: await (brought.head ?? head()),
    snapshot,
    rootJwk: told ?? undefined,
  };
  return open(parts, { ...fresh, ...held });
}

/** "taken", or which part was not. */
async function judged(brought: Brought = {}, held: Partial<Held> = {}): Promise<string> {
  const result = await opened(brought, held);
  return result.ok ? "taken" : result.reason.what;
}

async function member(brought: Brought = {}, held: Partial<Held> = {}): Promise<Member> {
  const result = await opened(brought, held);
  if (!result.ok) throw new Error(result.reason.why);
  return { ...result.value, credential: undefined };
}

describe("what an isolate starts on", () => {
  test("is taken when root, bundle, head and snapshot belong together", async () => {
    expect(await judged()).toBe("taken");
  });

  test.each<[what: string, part: string, brought: () => Brought]>([
    ["a bundle by another key", "bundle", () => ({ bundle: bundle({}, next) })],
    ["a bundle that has ended", "bundle", () => ({ bundle: bundle({ exp: nowS }) })],
    [
      "a bundle of another trust domain",
      "snapshot",
      () => ({ bundle: bundle({ trustDomain: "b.example" }) }),
    ],
    ["a head by another key", "snapshot", () => ({ head: head({}, next) })],
    ["a head by the key of the issuer", "snapshot", () => ({ head: head({}, issuer) })],
    ["a head that has ended", "snapshot", () => ({ head: head({ exp: nowS }) })],
    ["a head whose end is a text", "snapshot", () => ({ head: head({ exp: "never" }) })],
    ["a head that never ends", "snapshot", () => ({ head: head({ iat: "long ago", exp: undefined }) })],
    ["a head of another snapshot", "snapshot", () => ({ head: head({ digest: "0".repeat(64) }) })],
    ["a head of another workload", "snapshot", () => ({ head: head({ workload: "default/other" }) })],
    ["no root key at all", "bundle", () => ({ told: null })],
  ])("is not %s", async (_what, part, brought) => {
    expect(await judged(brought())).toBe(part);
  });

  test("may be a head that says nothing of its end, for seven days", async () => {
    const silent = (days: number) => head({ iat: nowS - days * day, exp: undefined });
    expect(await judged({ head: silent(6.9) })).toBe("taken");
    expect(await judged({ head: silent(7) })).toBe("snapshot");
  });
});

describe("what an isolate holds", () => {
  test.each<[what: string, part: string, brought: () => Brought]>([
    ["a bundle of a lower sequence", "bundle", () => ({ bundle: bundle({ sequence: 6 }) })],
    ["a head of a lower epoch", "snapshot", () => ({ head: head({ epoch: 4 }) })],
    ["a bundle of another trust domain", "bundle", () => ({ bundle: bundle({ trustDomain: "b.example" }) })],
    ["another root key", "root", () => ({ told: next.publicJwk, bundle: bundle({}, next) })],
  ])("is not replaced by %s", async (_what, part, brought) => {
    expect(await judged(brought(), { member: await member() })).toBe(part);
  });

  test("is the newer of each part where two came at once", async () => {
    const old = await member();
    const young = await member({ bundle: bundle({ sequence: 8 }), head: head({ epoch: 4 }) });
    for (const both of [newer(old, young), newer(young, old)])
      expect([both.trust.sequence, both.loaded.epoch]).toEqual([8, 5]);
  });
});

describe("the root key", () => {
  const named = (...keys: WorkloadKeys[]) => ({ roots: keys.map(({ publicJwk }) => publicJwk) });
  const rolled = () => ({ bundle: bundle({ sequence: 8, ...named(next) }, next), head: head({}, next) });

  test("that is pinned is the only one that is believed, whatever control and bundles say", async () => {
    const pinned = [root.publicJwk];
    expect(await judged({ told: null }, { pinned })).toBe("taken");
    expect(await judged({ told: next.publicJwk, ...rolled() }, { pinned })).toBe("root");
    expect(await judged({ told: null, ...rolled() }, { pinned })).toBe("bundle");
    const holder = await member({ bundle: bundle(named(root, next)) }, { pinned });
    expect(holder.roots.map(({ jwk }) => jwk)).toEqual(pinned);
    expect(await judged({ told: null, ...rolled() }, { pinned, member: holder })).toBe("bundle");
  });

  test("rolls where two are pinned: both are believed, told or not", async () => {
    const pinned = [root.publicJwk, next.publicJwk];
    const holder = await member({}, { pinned });
    expect(await judged({ told: next.publicJwk, ...rolled() }, { pinned, member: holder })).toBe("taken");
    expect(await judged({ told: null, ...rolled() }, { pinned })).toBe("taken");
  });

  test("is told of as the next one where it is named and believed, and nowhere else", async () => {
    const named2 = bundle(named(root, next));
    expect(nextRootOf(await member())).toBeUndefined();
    expect(nextRootOf(await member({ bundle: named2 }))).toBe(next.publicJwk.x);
    expect(nextRootOf(await member({ bundle: named2 }, { pinned: [root.publicJwk] }))).toBeUndefined();
    const both = [next.publicJwk, root.publicJwk];
    expect(nextRootOf(await member({ bundle: named2 }, { pinned: both }))).toBe(next.publicJwk.x);
    // Pinned already, and not named yet: the isolate cannot know that it is the next one.
    expect(nextRootOf(await member({}, { pinned: both }))).toBeUndefined();
  });

  test("rolls where none is pinned: the next one is believed once a bundle names it, the former one no more", async () => {
    expect(await judged({ told: next.publicJwk, ...rolled() }, { member: await member() })).toBe("root");
    const prepared = await member({ bundle: bundle(named(root, next)) });
    const after = await member({ told: next.publicJwk, ...rolled() }, { member: prepared });
    expect(after.roots.map(({ jwk }) => jwk)).toEqual([next.publicJwk]);
    const backwards = { told: null, bundle: bundle({ sequence: 9 }), head: head() };
    expect(await judged(backwards, { member: after })).toBe("bundle");
  });

  test("is not replaced by what is no key", async () => {
    expect(await judged({ bundle: bundle({ roots: [{ kty: "oct", k: "AAAA" }] }) })).toBe("bundle");
    expect(await judged({ bundle: bundle({ roots: Array(5).fill(root.publicJwk) }) })).toBe("bundle");
  });
});

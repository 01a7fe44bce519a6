import { keyEpochMs, keyLingerMs } from "@tulle/mesh-runtime/identity/session-profile.ts";
import { describe, expect, test } from "vitest";
import { entryTtl } from "../../../control/issuer/registration.ts";
import { hasRunOut, type Revoked } from "../../../control/issuer/revocations.ts";
import { sessionKeysFor } from "../../../control/issuer/session-keys.ts";

const web = "spiffe://mesh.local/ns/default/sa/web";
const secret = "a secret of thirty-two characters";
/** Revoked in the last moment of an hour: keys of the most hours are known then. */
const at = Math.ceil(1_790_000_000_000 / keyEpochMs) * keyEpochMs - 1;
const lifted: Revoked = { kind: "spiffeId", value: web, at, liftedAt: at + 1, by: "operator", reason: "" };

const drawn = (now: number, since: number) =>
  sessionKeysFor(web, { secret, since, now, ttlMs: entryTtl.maxMs });

/** The first moment in which a revocation may be forgotten, milliseconds since the Unix epoch. */
function runsOutAt(): number {
  let [not, out] = [at, at + 365 * 86_400_000];
  while (out - not > 1) {
    const middle = Math.floor((not + out) / 2);
    if (hasRunOut(lifted, middle)) out = middle;
    else not = middle;
  }
  return out;
}

describe("of a revocation that was lifted", () => {
  test("the keys from before never come again: not while it is remembered, nor when it is forgotten", async () => {
    const known = await drawn(at, 0);
    const stolen = new Set(known.map(({ publicKey }) => publicKey));
    const last = Math.max(...known.map(({ until }) => until)) + keyLingerMs;
    expect(runsOutAt()).toBeGreaterThan(last);
    for (let now = at + 1; now < runsOutAt() + 2 * keyEpochMs; now += keyEpochMs) {
      const keys = await drawn(now, hasRunOut(lifted, now) ? 0 : at);
      expect(keys.filter(({ publicKey }) => stolen.has(publicKey))).toEqual([]);
    }
  });

  test("the forgetting changes no key, so that no session ends by it", async () => {
    const now = runsOutAt();
    expect(await drawn(now, 0)).toEqual(await drawn(now, at));
  });

  test("each hour has one key, however often the keys are drawn meanwhile", async () => {
    const byHour = new Map<number, string>();
    for (let now = at + 1; now < at + 12 * keyEpochMs; now += keyEpochMs / 2)
      for (const { from, publicKey } of await drawn(now, at)) {
        expect(byHour.get(from) ?? publicKey).toBe(publicKey);
        byHour.set(from, publicKey);
      }
    expect(new Set(byHour.values()).size).toBe(byHour.size);
  });
});

import { describe, expect, test } from "vitest";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { explainIdentity } from "../../mesh-runtime/identity/explanation/explain.ts";
import type { SessionKey } from "../../mesh-runtime/identity/session-keys.ts";
import type { TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import { grantFor, sessionKey } from "../unit/identity/agreement.ts";
import { now, type World } from "../unit/identity/fixture.ts";
import { type Forged, forge } from "./attacker.ts";
import { type Isolate, isolate, loadedPolicy, type Seen } from "./journey.ts";

/**
 * One thing that an attacker tries, as a row of a table: the number of the attack, what is tried, how, and the step
 * of the identity that must stop it; "accepted" where the standards say that it is no attack.
 */
export type Attack = readonly [
  number: number,
  tries: string,
  how: Forged | ((world: World) => Forged | Promise<Forged>),
  ends: RegExp | "accepted" | "denied",
];

/** The one face of a caller that cannot show who it is, whatever the reason. */
const face = {
  type: "https://tulle.dev/problems/unidentified",
  title: "The caller's workload identity could not be verified",
  status: 400,
};

/** 400, problem details of one shape, the application not called, and nothing of the proof in the log. */
export function expectRefused(seen: Seen, step: RegExp): void {
  expect(seen.reason).toMatch(new RegExp(`^step=(?:${step.source}) `));
  expect(seen.handled).toBeUndefined();
  expect(seen.status).toBe(400);
  expect(JSON.parse(seen.body)).toEqual(face);
  expect([...seen.headers.keys()].sort()).toEqual(["cache-control", "content-type", "tulle-problem"]);
  expect(seen.headers.get("content-type")).toBe("application/problem+json");
  expect(seen.headers.has("www-authenticate")).toBe(false);
  expect(seen.line).not.toMatch(/eyJ|attack-\d/);
}

/** 403, and the application not called. */
export function expectDenied(seen: Seen): void {
  expect(seen.handled).toBeUndefined();
  expect(seen.status).toBe(403);
  expect(JSON.parse(seen.body)).toEqual({
    type: "https://tulle.dev/problems/denied",
    title: "The caller is not allowed to do this",
    status: 403,
  });
}

/** An isolate that believes this world's issuer, and has keys for sessions if any are given. */
export const target = async (world: World, keys: readonly SessionKey[] = []): Promise<Isolate> =>
  isolate(await loadedPolicy(), () => world.bundle, undefined, undefined, undefined, undefined, keys);

/**
 * What `tulle identity explain` says of a request is what the worker said of it: the same verdict, for the same reason.
 * No check before the one that failed did so, and none after it is said to have been made.
 */
export async function expectExplained(request: Request, seen: Seen, bundle: TrustBundle): Promise<void> {
  const { method, url, headers } = request;
  const body = new Uint8Array(await request.arrayBuffer());
  const captured = { method, url, headers: new Fields(headers), body, repeated: [], props: undefined };
  const { accepted, checks } = await explainIdentity(captured, { policy: await loadedPolicy(), bundle, now });
  const outcomes = checks.map(({ outcome }) => outcome);
  const failed = checks.findIndex(({ outcome }) => outcome === "failed");
  // Who is denied was identified before.
  expect(accepted).toBe(seen.status === 200 || seen.status === 403);
  expect(outcomes.slice(0, accepted ? undefined : failed)).not.toContain("not reached");
  if (accepted) expect(failed).toBe(-1);
  else {
    const [, step, detail] = /^step=(\S+) detail=(.*)$/.exec(seen.reason) ?? [];
    expect(checks[failed]).toMatchObject({ detail: `${step}: ${detail}` });
    expect(new Set(outcomes.slice(failed + 1))).toEqual(
      new Set(failed + 1 < outcomes.length ? ["not reached"] : []),
    );
    expect(checks.map(({ name }) => name)).not.toContain("the worker's own verdict, which differs");
  }
}

function expectEnd(seen: Seen, ends: Attack[3]): void {
  if (ends === "denied") expectDenied(seen);
  else if (ends !== "accepted") expectRefused(seen, ends);
  else {
    const { status, body, reason } = seen;
    expect({ status, body, reason }).toEqual({ status: 200, body: "paid", reason: "" });
  }
}

/** Whether an attack is one on a session's proof too: it is not on the token, nor on what a signature looks like. */
const suitsSession = ({ wit, key, signature, parameters }: Forged): boolean =>
  wit === undefined && key === undefined && signature === undefined && parameters?.tag === undefined;

const sessions = new WeakMap<
  World,
  { readonly key: SessionKey; readonly session: NonNullable<Forged["session"]> }
>();

/** A session that was rightly begun: one for all attacks of a world. */
async function begun(world: World) {
  const known = sessions.get(world);
  if (known !== undefined) return known;
  const key = await sessionKey();
  const made = { key, session: await grantFor(world, key) };
  sessions.set(world, made);
  return made;
}

/**
 * Tries every attack of a table at an isolate of its own, and those that suit one by a session that was rightly begun: the
 * same must stop them.
 */
export function tryAll(subject: string, world: () => World, attacks: readonly Attack[]): void {
  describe(subject, () => {
    test.each(attacks)("%i: %s", async (_number, _tries, how, ends) => {
      const forged = typeof how === "function" ? await how(world()) : how;
      const request = await forge(world(), forged);
      const copy = request.clone();
      const seen = await (await target(world())).arrive(request);
      await expectExplained(copy, seen, world().bundle);
      expectEnd(seen, ends);
      if (!suitsSession(forged)) return;
      const { key, session } = await begun(world());
      const proved = await forge(world(), { ...forged, session });
      expectEnd(await (await target(world(), [key])).arrive(proved), ends);
    });
  });
}

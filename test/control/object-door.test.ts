import { reset, runInDurableObject } from "cloudflare:test";
import { DurableObject, env } from "cloudflare:workers";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { AuditAnswer, KeysAnswer } from "../../control/api/contract.ts";
import type { Env } from "../../control/env.ts";
import { behindDoor, type Door, passesOf } from "../../control/object-door.ts";
import { api, apply, service, store } from "./support.ts";

beforeEach(async () => {
  await reset();
  await apply(service("web"));
});

const quietly = () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  onTestFinished(() => warned.mockRestore());
  return warned;
};

const refused = /answer control alone/;

/** What a call comes to. It is awaited once: each `then` of a call to an object is a promise of its own. */
async function outcome(call: () => unknown): Promise<string> {
  try {
    await call();
    return "answered";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("a worker that is bound to control's objects, and is not control", () => {
  const bound: readonly (readonly [string, () => Door, string, readonly unknown[]])[] = [
    ["the issuer", () => door(env.ISSUER.getByName(env.TRUST_DOMAIN)), "changeKeys", [{ kind: "rotate" }]],
    ["the policy store", () => door(env.POLICY.getByName("mesh")), "tokens", []],
    ["a service's object", () => door(env.SERVICES.getByName("default/web")), "seen", []],
    ["a memory of proofs", () => door(env.REPLAYS.getByName("default/web 0")), "admit", [{}]],
    ["a keeper of traces", () => door(env.TRACES.getByName("0")), "get", ["0".repeat(32)]],
  ];
  const door = (stub: unknown) => stub as Door & Record<string, (...args: unknown[]) => Promise<unknown>>;

  test.each(bound)(
    "gets nothing of %s, with no pass nor with one that it makes up",
    async (_, stub, method, args) => {
      quietly();
      const ask = (passes: unknown) => outcome(() => stub().ask(passes as string[], method, args));
      const [good = ""] = await passesOf(env);
      const forged = await passesOf({ TULLE_KEY_SECRET: "a secret of somebody else's, 0123456789" });
      const off = good.slice(0, -1) + (good.endsWith("A") ? "Q" : "A");
      for (const passes of [
        [],
        [""],
        forged,
        [off],
        [`${good} `],
        ["\u00e9".repeat(43)],
        [...forged, "", good],
      ])
        expect(await ask(passes)).toMatch(refused);
      for (const passes of [undefined, good, { 0: good, length: 1 }])
        expect(await ask(passes)).toMatch(refused);
      expect(await ask([good])).not.toMatch(refused);
    },
  );

  test.each(bound)("finds no other method at %s", async (_, stub, method, args) => {
    const object = door(stub());
    for (const name of [method, "alarm"])
      expect(await outcome(() => object[name]?.(...args))).not.toBe("answered");
  });

  test("has changed nothing: no key, no policy, no entry in the log", async () => {
    quietly();
    const all = async () => [
      (await api<KeysAnswer>("GET", "/api/keys")).body,
      (await api<AuditAnswer>("GET", "/api/audit")).body,
      await store().state(),
      await store().tokens(),
    ];
    const before = await all();
    const change = { sources: [{ source: "a", text: service("evil") }] };
    const admin = { actor: { name: "operator", role: "admin" }, reason: "" };
    const issuer = door(env.ISSUER.getByName(env.TRUST_DOMAIN));
    const policy = door(env.POLICY.getByName("mesh"));
    expect(await outcome(() => issuer.ask([], "changeKeys", [{ kind: "prepare-root" }]))).toMatch(refused);
    expect(await outcome(() => policy.ask([], "apply", [change, admin]))).toMatch(refused);
    expect(await all()).toEqual(before);
  });
});

class Plain extends DurableObject<Env> {
  answer(to: string): string {
    return `to ${to}`;
  }
}

/** What becomes of a call from one environment at an object of another one. */
const called = (from: Partial<Env>, at: Partial<Env>, method = "answer"): Promise<unknown> =>
  runInDurableObject(env.TRACES.getByName("door"), async (_, state) => {
    const Behind = behindDoor("Plain", Plain);
    const object = new Behind(state, { ...env, TULLE_KEY_SECRET: "", ...at });
    try {
      return await object.ask(await passesOf(from), method, ["you"]);
    } catch (error) {
      return error instanceof TypeError ? "no such method" : "refused";
    }
  });

describe("a door", () => {
  const one = { TULLE_KEY_SECRET: "one".repeat(12) };
  const two = { TULLE_KEY_SECRET: "two".repeat(12) };
  const changing = { ...two, TULLE_KEY_SECRET_PREVIOUS: one.TULLE_KEY_SECRET };

  test("lets in who has the same secret, and while it is being changed who has the former or the next one", async () => {
    quietly();
    expect(await called(one, one)).toBe("to you");
    for (const former of [one, changing]) {
      expect(await called(former, changing)).toBe("to you");
      expect(await called(changing, former)).toBe("to you");
    }
    expect(await called(one, two)).toBe("refused");
    expect(await called({}, one)).toBe("refused");
  });

  test("stands open only while there is no secret, and so nothing to issue", async () => {
    expect(await called({}, {})).toBe("to you");
    expect(await called(one, {})).toBe("to you");
  });

  test.each(["constructor", "ctx", "toString", "fetch", "__proto__", "answers", ""])(
    "knows no method %j of what is behind it",
    async (method) => {
      expect(await called(one, one, method)).toBe("no such method");
    },
  );

  test("tells in the log of who was refused, once a minute, and nothing of what was shown", async () => {
    const warned = quietly();
    await runInDurableObject(env.TRACES.getByName("door"), async (_, state) => {
      const Behind = behindDoor("Plain", Plain);
      const object = new Behind(state, { ...env, ...one });
      for (let more = 0; more < 5; more++) await object.ask(["shown"], "answer", []).catch(() => undefined);
    });
    expect(warned.mock.calls).toEqual([[expect.stringMatching(/not control called Plain, "answer"/)]]);
    expect(JSON.stringify(warned.mock.calls)).not.toContain("shown");
  });

  test("gives nothing of the secret away with a pass", async () => {
    const [pass] = await passesOf(one);
    expect(pass).toMatch(/^[\w-]{43}$/);
    expect(await passesOf(one)).toEqual([pass]);
    expect(await passesOf({})).toEqual([]);
  });
});

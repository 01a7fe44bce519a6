import { beforeAll, describe, expect, test } from "vitest";
import { Fields, type HeaderFields } from "../../mesh-runtime/foundation/fields.ts";
import { type Asked, signAnswer, verifyAnswer } from "../../mesh-runtime/identity/answer-proof.ts";
import { signMessage, verifyMessage } from "../../mesh-runtime/identity/proof.ts";
import { caller, makeWorld, now, self, value, verifier, type World } from "../unit/identity/fixture.ts";
import { forge } from "./attacker.ts";

/*
 * 29: a header that is called as a derived component is never read as one. No platform lets such a name in; this bag
 * does, as one that is careless might, and keeps what it is asked for.
 */

/** All derived components that there are (RFC 9421 §2.2), the last line of a base, and what an attacker would say they are. */
const lies: Readonly<Record<string, string>> = {
  "@method": "DELETE",
  "@request-target": "/admin",
  "@target-uri": "https://payments/admin",
  "@authority": "admin",
  "@scheme": "http",
  "@path": "/admin",
  "@query": "?admin",
  "@query-param": "admin",
  "@status": "200",
  "@signature-params": "()",
};

class Bag extends Fields {
  readonly asked: string[] = [];

  constructor(from: HeaderFields) {
    super(from);
    for (const [name, text] of Object.entries(lies)) super.set(name, text);
  }

  override get(name: string): string | null {
    this.asked.push(name);
    return super.get(name);
  }

  override has(name: string): boolean {
    this.asked.push(name);
    return super.has(name);
  }

  /** Without what the attacker put in. */
  clean(): Fields {
    const others = new Fields(this);
    for (const name of Object.keys(lies)) others.delete(name);
    return others;
  }
}

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const expectUnasked = ({ asked }: Bag): void =>
  expect(asked.filter((name) => name.startsWith("@") || Object.hasOwn(lies, name.toLowerCase()))).toEqual([]);

describe("29: a header that is called as a derived component", () => {
  test("changes no verdict on a sound request, and nobody asks for it", async () => {
    const { method, url, headers } = await forge(world, { headers: { "x-app": "1" } });
    const bag = new Bag(headers);
    expect((await verifyMessage({ method, url, headers: bag }, verifier(world))).ok).toBe(true);
    expectUnasked(bag);
  });

  test("is not what a request is signed over, and no proof is made of it", async () => {
    const bag = new Bag(new Headers({ "content-type": "a/b" }));
    const message = { method: "POST", url: "https://payments/charge", headers: bag };
    value(await signMessage(message, { audience: self, credential: world.credential, now, nonce: "n" }));
    expectUnasked(bag);
    expect((await verifyMessage({ ...message, headers: bag.clean() }, verifier(world))).ok).toBe(true);
    for (const changed of [{ method: "DELETE" }, { url: "https://payments/admin" }]) {
      const verdict = await verifyMessage({ ...message, ...changed }, verifier(world));
      expect(verdict).toMatchObject({ ok: false, reason: { step: "proof" } });
    }
  });

  test.each<[string, string, string]>([
    ["@method", "POST", "DELETE"],
    ["@request-target", "/charge?amount=3&note=", "/admin"],
  ])("cannot stand in for %s: what is signed over the header is refused", async (name, true_, lie) => {
    const base = (text: string) => text.replace(`"${name}": ${true_}`, `"${name}": ${lie}`);
    const { method, url, headers } = await forge(world, { base });
    const bag = new Bag(headers);
    const verdict = await verifyMessage({ method, url, headers: bag }, verifier(world));
    expect(verdict).toMatchObject({ ok: false, reason: { step: "proof" } });
    expectUnasked(bag);
  });

  test.each(
    Object.keys(lies)
      .filter((name) => name !== "@method" && name !== "@request-target")
      .flatMap((name) => [name, name.toUpperCase()])
      .concat("@METHOD", "@Method", "@nothing", "@"),
  )("cannot be covered as %s: it is refused before anybody asks for it", async (name) => {
    const components = ['"@method"', '"@request-target"', `"${name}"`];
    const { method, url, headers } = await forge(world, { components });
    const bag = new Bag(headers);
    const verdict = await verifyMessage({ method, url, headers: bag }, verifier(world));
    expect(verdict).toMatchObject({ ok: false, reason: { step: "malformed" } });
    expectUnasked(bag);
  });

  test("is asked for by nobody where a request is given that lacks what it covers", async () => {
    const components = [
      '"@method"',
      '"@request-target"',
      '"content-type"',
      '"tulle-hops"',
      '"x-app"',
      '"workload-identity-token"',
    ];
    const { method, url, headers } = await forge(world, {
      components,
      headers: { "x-app": "1" },
      wire: (all) => all.delete("x-app"),
    });
    const bag = new Bag(headers);
    const verdict = await verifyMessage({ method, url, headers: bag }, verifier(world));
    expect(verdict).toMatchObject({ ok: false, reason: { step: "proof" } });
    // What is covered and not seen in the one pass over all headers is all that is ever looked up by its name.
    expect(bag.asked).toEqual(["x-app"]);
  });
});

describe("29: such a header of an answer", () => {
  const asked: Asked = { method: "POST", url: "https://payments/charge", nonce: "n-1", token: "a.b.c" };

  test("is neither signed nor believed, and nobody asks for it", async () => {
    const bag = new Bag(new Headers({ "content-type": "a/b" }));
    const proof = { credential: world.credential, now, nonce: "m-1" };
    for (const [name, text] of value(await signAnswer({ status: 201, headers: bag }, asked, proof)))
      bag.set(name, text);
    const by = { ...verifier(world), by: caller };
    for (const headers of [bag, bag.clean()])
      expect((await verifyAnswer({ status: 201, headers }, asked, by)).ok).toBe(true);
    expect(await verifyAnswer({ status: 200, headers: bag }, asked, by)).toMatchObject({
      reason: { step: "proof" },
    });
    expectUnasked(bag);
  });
});

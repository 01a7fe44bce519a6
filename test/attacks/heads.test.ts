import { beforeAll, describe, expect, test } from "vitest";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { BindingIds, identify } from "../../mesh-runtime/identity/identified.ts";
import type { Loaded } from "../../mesh-runtime/policy/loaded.ts";
import { makeWorld, verifier, type World } from "../unit/identity/fixture.ts";
import { type Forged, forge } from "./attacker.ts";
import { loadedPolicy } from "./journey.ts";
import { metered, type Work } from "./meter.ts";

/*
 * 47: what it costs to judge who sent a head, counted in characters that are looked at. What workerd answers to more than
 * it takes, test/scenarios/a-hostile-client-writes-its-own-bytes.test.ts shows.
 */

let world: World;
let policy: Loaded;
/** What a sound request costs. */
let sound: Cost;
beforeAll(async () => {
  world = await makeWorld();
  policy = await loadedPolicy();
  sound = await cost({});
});

interface Cost extends Work {
  readonly verdict: string;
  /** How often a header was handed out in a pass over all of them. */
  readonly handed: number;
  readonly headers: number;
}

class Counting extends Fields {
  handed = 0;

  override forEach(each: (value: string, name: string) => void): void {
    super.forEach((value, name) => {
      this.handed += 1;
      each(value, name);
    });
  }
}

async function cost(forged: Forged): Promise<Cost> {
  const { method, url, headers } = await forge(world, forged);
  const { cache, replay, now } = verifier(world);
  const ports = {
    trust: () => world.bundle,
    cache,
    replay,
    clock: { now: () => now },
    count: () => undefined,
  };
  const exchange = { request: { method, url, body: null }, policy, bindingProps: undefined };
  const fields = new Counting(headers);
  let known: Awaited<ReturnType<typeof identify>> | undefined;
  const work = await metered(async () => {
    known = await identify(exchange, fields, ports, new BindingIds());
  });
  const reason = known?.ok === false ? known.reason : undefined;
  const verdict = reason?.kind === "unidentified" ? reason.step : (reason?.kind ?? "accepted");
  return { ...work, verdict, handed: fields.handed, headers: [...headers.keys()].length };
}

type Shape = readonly [what: string, of: (size: number) => Forged];

/** Characters of what an attacker puts in, below and above what is looked at. */
const small = [500, 1_000, 2_000, 4_000];
const large = [8_000, 20_000, 64_000, 128_000];

const input =
  (change: (input: string, size: number) => string) =>
  (size: number): Forged => ({
    wire: (all) => all.set("signature-input", change(all.get("signature-input") ?? "", size)),
  });
const signature =
  (change: (input: string, size: number) => string) =>
  (size: number): Forged => ({
    wire: (all) => all.set("signature", change(all.get("signature") ?? "", size)),
  });
const times = (text: string) => (size: number) => text.repeat(Math.ceil(size / text.length));

/** A Signature-Input with more of something than anybody needs. */
const inputs: readonly Shape[] = [
  ["members", input((own, size) => `${own}${times(",a=1")(size)}`)],
  [
    "distinct members",
    input((own, size) => `${own}${Array.from({ length: size / 8 }, (_, at) => `,k${at}=1`).join("")}`),
  ],
  ["bare members", input((own, size) => `${own}${times(",a")(size)}`)],
  ["commas", input((own, size) => own + ",".repeat(size))],
  ["blanks behind", input((own, size) => `${own}${" ".repeat(size)}x`)],
  ["blanks in front", input((own, size) => `x${" ".repeat(size)}${own}`)],
  ["blanks, then a member", input((own, size) => `${own}${" ".repeat(size)},a`)],
  ["tabs", input((own, size) => `${own}${"\t".repeat(size)},${"\t".repeat(size)}a`)],
  ["parameters", input((own, size) => `${own}${times(";a=1")(size)}`)],
  ["bare parameters", input((own, size) => `${own}${times(";a")(size)}`)],
  ["parameters of a second member", input((own, size) => `${own},b${times(";a=1")(size)}`)],
  ["tags of a second member", input((own, size) => `${own},b${times(';tag="a"')(size)}`)],
  ["our tag again", input((own, size) => `${own}${times(';tag="wimse-workload-to-workload"')(size)}`)],
  ["semicolons", input((own, size) => own + ";".repeat(size))],
  ["equals signs", input((own, size) => own + "=".repeat(size))],
  ["an open string", input((own, size) => `${own};x="${"a".repeat(size)}`)],
  ["a string of escapes", input((own, size) => `${own},b="${'\\"'.repeat(size / 2)}`)],
  ["quotes", input((own, size) => own + '"'.repeat(size))],
  ["open lists", input((own, size) => `${own},b=${"(".repeat(size)}`)],
  ["a list of items", input((own, size) => `${own},b=(${times('"a" ')(size)})`)],
  ["a list of items with parameters", input((own, size) => `${own},b=(${times('"a";x ')(size)})`)],
  ["an open list", input((own, size) => `${own},b=(${" ".repeat(size)}"`)],
  ["components", input((own, size) => own.replace("(", () => `(${times('"a" ')(size)}`))],
  [
    "distinct components",
    input((own, size) =>
      own.replace("(", () => `(${Array.from({ length: size / 9 }, (_, at) => `"k${at}" `).join("")}`),
    ),
  ],
  ["a label", input((own, size) => "a".repeat(size) + own)],
  ["digits", input((own, size) => own.replace(/created=\d+/, () => `created=${"1".repeat(size)}`))],
  ["open bytes", input((own, size) => `${own},b=:${"AAAA".repeat(size / 4)}`)],
  ["a token", input((own, size) => `${own},b=${"a".repeat(size)}"`)],
];

/** The rest of a proof. */
const others: readonly Shape[] = [
  ["signatures", signature((own, size) => `${own}${times(",a=:AAAA:")(size)}`)],
  ["digits of a signature", signature((own, size) => own.replace(":", () => `:${"A".repeat(size)}`))],
  ["blanks of a signature", signature((own, size) => `${own}${" ".repeat(size)}x`)],
  ["dots of a token", (size) => ({ wit: times(".")(size) })],
  ["letters of a token", (size) => ({ wit: times("a")(size) })],
  ["parts of a token", (size) => ({ wit: `${times("a.")(size)}a` })],
];

/** What is no part of a proof, or covered by it. */
const carried: readonly Shape[] = [
  ["members of a digest", (size) => ({ digest: times("sha-256=:AAAA:, ")(size) })],
  [
    "letters of a session's grant",
    (size) => ({
      headers: { "tulle-session": times("a")(size) },
      parameters: { tag: '"tulle-session-v1"' },
      signature: (raw) => raw.slice(0, 32),
    }),
  ],
  [
    "headers of nobody's",
    (size) => ({
      wire: (all) => {
        for (let at = 0; at < size / 100; at++) all.set(`x-${at}`, "v".repeat(90));
      },
    }),
  ],
  [
    "headers of the mesh's own",
    (size) => ({
      wire: (all) => {
        for (let at = 0; at < size / 20; at++) all.set(`tulle-${at}`, "v".repeat(10));
      },
    }),
  ],
];

describe("47: a head with any number of", () => {
  test.each([...inputs, ...others, ...carried])(
    "%s costs a sound one and some looks at each character more",
    async (_, of) => {
      for (const size of [...small, ...large]) {
        const { characters, handed, headers, cryptography } = await cost(of(size));
        // Of 64 components each is looked for among 64. What is read is looked at six times, what is longer than is
        // read at most twice: where it is covered, and so hashed.
        const most = sound.characters + 64 ** 2 + 6 * Math.min(size, 4_200) + 2.1 * size;
        expect([size, characters]).toEqual([size, Math.min(characters, most)]);
        expect(cryptography).toBeLessThanOrEqual(sound.cryptography);
        expect(handed).toBe(headers);
      }
    },
  );

  test.each(inputs)("%s beyond the limit of Signature-Input is not even read", async (_, of) => {
    for (const size of large) {
      const { characters, cryptography, parses, verdict } = await cost(of(size));
      expect([size, characters, cryptography, parses, verdict]).toEqual([
        size,
        Math.min(characters, 100),
        0,
        0,
        "malformed",
      ]);
    }
  });

  test.each(others)("%s beyond the limits of signature and token has nothing verified", async (_, of) => {
    for (const size of large) {
      const { characters, cryptography, parses, verdict } = await cost(of(size));
      expect([size, characters, cryptography, parses, verdict]).toEqual([
        size,
        Math.min(characters, 2_500),
        0,
        0,
        "malformed",
      ]);
    }
  });
});

describe("47: a head as long as a platform takes one", () => {
  /** A sound request with headers of nobody's, so many characters in all. */
  const ofLength = async (length: number): Promise<Forged> => {
    const { headers } = await forge(world);
    const own = [...headers].reduce((sum, [name, text]) => sum + name.length + text.length, 0);
    return { wire: (all) => all.set("x", "v".repeat(length - own - 1)) };
  };

  test("is judged by its proof to 131,072 characters", async () => {
    expect((await cost(await ofLength(131_072))).verdict).toBe("accepted");
  });

  test("is refused beyond them, and nothing is verified for it", async () => {
    const { verdict, characters, cryptography } = await cost(await ofLength(131_073));
    expect([verdict, cryptography]).toEqual(["malformed", 0]);
    expect(characters).toBeLessThan(100);
  });
});

describe("the meter", () => {
  const text = "a".repeat(1_000);

  test.each<[string, () => unknown, number]>([
    ["a search that finds nothing", () => text.indexOf("b"), 1_000],
    ["a search that finds at once", () => text.indexOf("a"), 1],
    ["one character", () => text.charCodeAt(7), 1],
    ["a pattern that is held to the beginning", () => /^a*$/.test(text), 1_000],
    ["a pattern that may begin anywhere, and repeat itself", () => /a+$/.test(text), 1_000_000],
    [
      "a pattern that may begin anywhere, and repeat itself 64 times",
      () => text.replace(/a{1,64}$/, ""),
      64_000,
    ],
    ["two passes", () => text.split(",").join().includes("b"), 2_000],
  ])("counts %s", async (_, work, characters) => {
    expect((await metered(async () => work())).characters).toBe(characters);
  });

  test("would tell of a reader that begins anew with every character", async () => {
    const anew = async () => {
      for (let at = 0; at < text.length; at++) text.indexOf("b", at);
    };
    expect((await metered(anew)).characters).toBe(500_500);
  });

  test("lets go of what it watched", async () => {
    const { indexOf } = String.prototype;
    const { verify } = crypto.subtle;
    await metered(async () => "a".indexOf("a"));
    expect(String.prototype.indexOf).toBe(indexOf);
    expect(crypto.subtle.verify).toBe(verify);
  });
});

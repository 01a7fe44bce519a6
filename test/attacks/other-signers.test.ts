import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Verifier } from "../../mesh-runtime/identity/proof.ts";
import { makeWorld, publicKeyOf, verifier, type World } from "../unit/identity/fixture.ts";
import { expectRefused, target } from "./attack.ts";
import { hands, urlOf, type Written } from "./other-hands.ts";
import { allOf, arriving, judgedByUs, one, signedByUs, stated, withProof, withToken } from "./our-hand.ts";

/*
 * 82: what we sign others verify, what others sign we verify, and over the same bytes. Where one of them and we
 * differ, other-signers-differ.test.ts says how.
 */

let world: World;
let publicKey: CryptoKey;
let by: Verifier;
beforeAll(async () => {
  world = await makeWorld();
  publicKey = await publicKeyOf(world.keys);
  by = verifier(world);
});

const letters = "abcXYZ019-_.~!$&'()*+,;=:@";
const pieces = fc.oneof(
  fc.constantFrom(...letters),
  fc.constantFrom("%20", "%2F", "%2f", "%5C", "%00", "%41", "%7E", "%C3%A9", "%25"),
);
const text = (longest: number) => fc.array(pieces, { maxLength: longest }).map((all) => all.join(""));
/** Of a URL that nobody has to read otherwise than it is written. */
const targets = fc
  .tuple(
    fc.array(text(8), { maxLength: 4 }),
    fc.option(fc.oneof(text(12), fc.constantFrom("a=1&b=%20&c", "a?b/c"))),
  )
  .map(([path, query]) => `/x${path.map((each) => `/${each}`).join("")}${query === null ? "" : `?${query}`}`)
  .filter((path) => !path.endsWith("?") && new URL(urlOf({ target: path })).href === urlOf({ target: path }));
const blanks = fc.constantFrom("", "", " ", "\t", " \t ");
const values = fc
  .tuple(
    blanks,
    fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      maxLength: 24,
    }),
    blanks,
  )
  .map(([before, value, after]) => before + value + after);
const names = fc.constantFrom(
  "content-type",
  "authorization",
  "txn-token",
  "tulle-anything-new",
  "tulle-0",
  "x-app",
  "cookie",
  "date",
);
const severalLines = fc.array(
  values.map((value) => value.trim()).filter((value) => value !== ""),
  { minLength: 2, maxLength: 3 },
);
/** Requests that may be written, each header on one line or on several. */
const requests: fc.Arbitrary<Written> = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"),
  target: targets,
  lines: fc
    .uniqueArray(names, { maxLength: 6 })
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map((name) =>
          fc
            .oneof(
              { weight: 4, arbitrary: values.map((value) => [value]) },
              { weight: 1, arbitrary: severalLines },
            )
            .map((lines) => lines.map((value): [string, string] => [name, value])),
        ),
      ),
    )
    .map((fields) => fields.flat()),
});

/** Puts things into an order that is as good as any. */
const inOrder = <Thing>(things: readonly Thing[], order: readonly number[]): readonly Thing[] =>
  things
    .map((thing, at) => ({ thing, place: order[at] ?? at }))
    .sort((one, other) => one.place - other.place)
    .map(({ thing }) => thing);
const orders = fc.array(fc.nat(), { minLength: 12, maxLength: 12 });

describe("82: requests of every shape", () => {
  const runs = { seed: 9_421, numRuns: 100 };

  test("that we sign are verified by every other hand, and by us, over the bytes that we signed", async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const { signed, base } = await signedByUs(world, request);
        for (const hand of hands)
          expect(await hand.verify(signed, publicKey), hand.name).toEqual({ base, verified: true });
        expect(await judgedByUs(signed, by)).toEqual({ verdict: "accepted", base });
      }),
      runs,
    );
  });

  test.each(hands.map((hand) => [hand.name, hand] as const))(
    "that %s signs in our profile, in any order, are let in by us, over the bytes that it signed",
    async (_, hand) => {
      await fc.assert(
        fc.asyncProperty(requests, orders, orders, async (request, components, parameters) => {
          const known = withToken(request, world);
          const covered = inOrder(allOf(known), components);
          const said = Object.fromEntries(inOrder(Object.entries(stated()), parameters));
          const made = await hand.sign(known, covered, said, world.keys.privateKey);
          const signed = withProof(known, made);
          const { base } = made;
          expect(await judgedByUs(signed, by)).toEqual({ verdict: "accepted", base });
          for (const other of hands)
            expect(await other.verify(signed, publicKey), other.name).toEqual({ base, verified: true });
        }),
        runs,
      );
    },
  );

  test("are refused by every hand when anything that is covered was changed on the way", async () => {
    const changes = fc.constantFrom("method", "target", "line", "parameter", "signature");
    await fc.assert(
      fc.asyncProperty(requests, changes, fc.nat(), async (request, what, at) => {
        const { signed } = await signedByUs(world, {
          ...request,
          lines: [...request.lines, ["tulle-last", "1"]],
        });
        const changed = changedIn(signed, what, at);
        for (const hand of hands)
          expect((await hand.verify(changed, publicKey)).verified, hand.name).toBe(false);
        expect((await judgedByUs(changed, by)).verdict).toBe("proof");
      }),
      runs,
    );
  });
});

/** Another request under the same proof. */
function changedIn(signed: Written, what: string, at: number): Written {
  const { method, target: path, lines } = signed;
  const rewritten = (name: string, change: (value: string) => string): Written => ({
    ...signed,
    lines: lines.map(([each, value]) => [each, each === name ? change(value) : value]),
  });
  switch (what) {
    case "method":
      return { ...signed, method: method === "PUT" ? "POST" : "PUT" };
    case "target":
      return { ...signed, target: `${path}${path.includes("?") ? "&" : "?"}z` };
    case "line":
      return rewritten("tulle-last", () => "2");
    case "parameter":
      return rewritten("signature-input", (value) => value.replace(/nonce="other-/, 'nonce="0ther-'));
    default:
      // Another digit among the 85 that carry nothing but the signature.
      return rewritten("signature", (value) => {
        const place = "wimse=:".length + (at % 85);
        return value.slice(0, place) + (value[place] === "A" ? "B" : "A") + value.slice(place + 1);
      });
  }
}

test.each(hands.map((hand) => [hand.name, hand] as const))(
  "82: a request that %s signed gets to the application, and an altered one does not",
  async (_, hand) => {
    const at = await target(world);
    const known = withToken(one, world);
    const signed = withProof(known, await hand.sign(known, allOf(known), stated(), world.keys.privateKey));
    expectRefused(await at.arrive(arriving(changedIn(signed, "target", 0))), /proof/);
    expect((await at.arrive(arriving(signed))).status).toBe(200);
  },
);

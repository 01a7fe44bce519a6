import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { generateKeys } from "../../mesh-runtime/identity/credential.ts";
import type { TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import { makeWorld, now, nowS, self, type World } from "../unit/identity/fixture.ts";
import { expectExplained } from "./attack.ts";
import { forge, token } from "./attacker.ts";
import { isolate, loadedPolicy } from "./journey.ts";

let world: World;
let thief: CryptoKey;
beforeAll(async () => {
  world = await makeWorld();
  thief = (await generateKeys()).privateKey;
});

/** What is wrong with a request; several of them can be at once. */
interface Faults {
  claims: Record<string, unknown>;
  header: Record<string, unknown>;
  parameters: Record<string, string | undefined>;
  wires: ((headers: Headers) => void)[];
  arrives: { method?: string; url?: string; body?: string };
  key: CryptoKey | undefined;
  bundle: Partial<TrustBundle>;
}

/** One for each check, or nearly. */
const faults: Readonly<Record<string, (all: Faults) => void>> = {
  "no signature": ({ wires }) => wires.push((headers) => headers.delete("signature")),
  "a signature input that cannot be read": ({ wires }) =>
    wires.push((headers) =>
      headers.set("signature-input", `${headers.get("signature-input")} `.replace('" "', '"  "')),
    ),
  "a signature of 3 bytes": ({ wires }) => wires.push((headers) => headers.set("signature", "wimse=:AAAA:")),
  "a header that nothing covers": ({ wires }) => wires.push((headers) => headers.set("tulle-more", "1")),
  "a keyid": ({ parameters }) => Object.assign(parameters, { keyid: '"x"' }),
  "a bundle that has run out": ({ bundle }) => Object.assign(bundle, { expiresAt: now }),
  "a kid that nobody knows": ({ header }) => Object.assign(header, { kid: "x" }),
  "another type of token": ({ header }) => Object.assign(header, { typ: "JWT" }),
  "another trust domain": ({ claims }) =>
    Object.assign(claims, { sub: "spiffe://other.org/ns/default/sa/web" }),
  "a name of no workload": ({ claims }) => Object.assign(claims, { sub: "spiffe://example.org/web" }),
  "an audience in the token": ({ claims }) => Object.assign(claims, { aud: self }),
  "a token that has expired": ({ claims }) => Object.assign(claims, { exp: nowS - 90 }),
  "no key in the token": ({ claims }) => Object.assign(claims, { cnf: {} }),
  "a token that is revoked": ({ claims, bundle }) => {
    Object.assign(claims, { jti: "revoked" });
    const { revoked } = world.bundle;
    Object.assign(bundle, { revoked: { ...revoked, tokens: new Set(["revoked"]) } });
  },
  "another's key": (all) => {
    all.key = thief;
  },
  "another method": ({ arrives }) => Object.assign(arrives, { method: "PUT" }),
  "another destination": ({ parameters }) => Object.assign(parameters, { "wimse-aud": `"${self}2"` }),
  "a proof that has expired": ({ parameters }) =>
    Object.assign(parameters, { created: String(nowS - 90), expires: String(nowS - 60) }),
  "another body": ({ arrives }) => Object.assign(arrives, { body: "amount=9" }),
};

test("whatever is wrong with a request at once, the explanation stops where the worker does, and for its reason", async () => {
  const loaded = await loadedPolicy();
  const combined = fc.uniqueArray(fc.constantFrom(...Object.keys(faults)), { maxLength: 4 });
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(combined, async (names) => {
      const all: Faults = {
        claims: {},
        header: {},
        parameters: {},
        wires: [],
        arrives: {},
        key: undefined,
        bundle: {},
      };
      for (const name of names) faults[name]?.(all);
      const bundle: TrustBundle = { ...world.bundle, ...all.bundle };
      const request = await forge(world, {
        body: "amount=3",
        wit: await token(world, all.claims, all.header),
        parameters: all.parameters,
        arrives: { body: "amount=3", ...all.arrives },
        wire: (headers) => {
          for (const change of all.wires) change(headers);
        },
        ...(all.key === undefined ? {} : { key: all.key }),
      });
      const copy = request.clone();
      const seen = await isolate(loaded, () => bundle).arrive(request);
      expect([names, seen.status]).toEqual([names, names.length === 0 ? 200 : 400]);
      await expectExplained(copy, seen, bundle);
      met.add(seen.reason.split(" ")[0] ?? "");
    }),
    { seed: 20_261_123, numRuns: 250 },
  );
  // Each step that one request can fail at has been the first to fail.
  expect([...met].sort()).toEqual(
    [
      "",
      "audience",
      "clock",
      "digest",
      "malformed",
      "missing",
      "proof",
      "revoked",
      "token",
      "trust-domain",
    ].map((step) => (step === "" ? "" : `step=${step}`)),
  );
});

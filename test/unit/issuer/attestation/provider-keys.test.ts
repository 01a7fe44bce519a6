import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { ProviderKeys } from "../../../../control/issuer/attestation/provider-keys.ts";
import { OidcIssuer } from "../../../support/oidc-issuer.ts";

const issuer = "https://oidc.example.com";
const start = 1_790_000_000_000;
let keySet: { keys: Record<string, unknown>[] };
beforeAll(async () => {
  keySet = (await (await OidcIssuer.at(issuer)).keySet()) as typeof keySet;
});

let asked: [url: string, init: RequestInit | undefined][];
let answer: () => Response;
let keys: ProviderKeys;
beforeEach(() => {
  asked = [];
  answer = () => Response.json(keySet);
  keys = new ProviderKeys(issuer, async (url, init) => {
    asked.push([String(url), init]);
    return answer();
  });
  const quiet = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => quiet.mockRestore());
});
const find = (now = start, kid = "key-ES256", alg: "ES256" | "RS256" = "ES256") => keys.find(kid, alg, now);

describe("the keys of a provider", () => {
  test("come from its well-known address, without a redirect, and are asked for once in ten minutes", async () => {
    expect(await find()).toMatchObject({ type: "public", algorithm: { name: "ECDSA" } });
    expect(await find(start + 599_999, "key-RS256", "RS256")).toMatchObject({ type: "public" });
    expect(asked).toMatchObject([[`${issuer}/.well-known/jwks.json`, { redirect: "manual" }]]);
    await find(start + 600_000);
    expect(asked).toHaveLength(2);
  });

  test("are asked for again for a kid that is not known, four times a minute at most", async () => {
    for (let ask = 0; ask < 50; ask++) expect(await find(start + ask, `invented-${ask}`)).toBe("unknown");
    expect(asked).toHaveLength(4);
    expect(await find(start + 50)).toMatchObject({ type: "public" });
    await find(start + 60_000, "invented");
    expect(asked).toHaveLength(5);
  });

  test("include one that is new since", async () => {
    const all = keySet.keys;
    answer = () => Response.json({ keys: all.filter(({ kid }) => kid !== "key-ES256") });
    expect(await find()).toBe("unknown");
    answer = () => Response.json(keySet);
    expect(await find(start + 1)).toMatchObject({ type: "public" });
  });

  test("that came last are believed for a day while no others come", async () => {
    await find();
    answer = () => new Response("down", { status: 500 });
    expect(await find(start + 86_399_999)).toMatchObject({ type: "public" });
    expect(await find(start + 86_400_000)).toBe("unavailable");
  });

  test.each<[string, () => Response]>([
    ["an error", () => new Response("no", { status: 503 })],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://evil.example" } })],
    ["what is no JSON", () => new Response("<html>")],
    ["a list", () => Response.json([])],
    ["no keys", () => Response.json({ keys: [] })],
    ["65 keys", () => Response.json({ keys: new Array(65).fill(keySet.keys[0]) })],
    ["64 KB and more", () => new Response(`{"keys":[],"x":"${"x".repeat(65_536)}"}`)],
    [
      "nothing at all",
      () => {
        throw new TypeError("connection refused");
      },
    ],
  ])("are not there when the answer is %s", async (_what, broken) => {
    answer = broken;
    expect(await find()).toBe("unavailable");
  });

  test.each<[string, (key: Record<string, unknown>) => Record<string, unknown>]>([
    ["of another kind", (key) => ({ ...key, kty: "RSA" })],
    ["of another algorithm", (key) => ({ ...key, alg: "ES384" })],
    ["for encryption", (key) => ({ ...key, use: "enc" })],
    ["of another curve", (key) => ({ ...key, crv: "P-384" })],
    ["that is no point", (key) => ({ ...key, x: "AAAA" })],
    ["that is symmetric", () => ({ kty: "oct", k: "AAAA", kid: "key-ES256" })],
  ])("leave out one %s", async (_what, change) => {
    answer = () => Response.json({ keys: keySet.keys.map(change) });
    expect(await find()).toBe("unknown");
  });

  test("leave out two with one kid: nobody could say which", async () => {
    answer = () => Response.json({ keys: [...keySet.keys, ...keySet.keys] });
    expect(await find()).toBe("unknown");
  });
});

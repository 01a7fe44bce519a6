import { beforeAll, describe, expect, test } from "vitest";
import { makeWorld, nowS, type World } from "../unit/identity/fixture.ts";
import { type Attack, expectExplained, expectRefused, target, tryAll } from "./attack.ts";
import { type Forged, forge } from "./attacker.ts";

/*
 * What stands between two workers and means no harm: proxies, and other versions of HTTP. It changes what no proof
 * covers, and must change no verdict by it, neither way.
 */

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

type Change = (headers: Headers) => void;

/** Each as RFC 9110 §7.6 and RFC 9113 §8.2 let whoever forwards a message do it. */
const changes: readonly (readonly [string, Change])[] = [
  ["puts Via in", (all) => all.append("via", "2 edge, 1.1 proxy")],
  [
    "tells of the client",
    (all) => {
      all.set("forwarded", "for=192.0.2.1;host=payments;proto=https");
      all.set("x-forwarded-for", "192.0.2.1");
      all.set("x-forwarded-host", "payments");
      all.set("x-forwarded-proto", "https");
    },
  ],
  [
    "puts in what is for one connection alone",
    (all) => {
      all.set("connection", "keep-alive, te");
      all.set("keep-alive", "timeout=5");
      all.set("te", "trailers");
    },
  ],
  ["joins the crumbs of a cookie", (all) => all.set("cookie", "a=1; b=2")],
  ["says how long the body is", (all) => all.set("content-length", "8")],
  [
    "takes the client's wishes away",
    (all) => ["accept", "accept-encoding", "priority"].map((name) => all.delete(name)),
  ],
  ["puts a trace in", (all) => all.set("traceparent", `00-${"a".repeat(32)}-${"b".repeat(16)}-01`)],
  ["puts blanks around a value", (all) => all.set("content-type", "\t application/json  ")],
  ["asks for an upgrade to HTTP/2", (all) => all.set("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA")],
  [
    "announces trailers, of which nobody here reads any",
    (all) => {
      all.set("trailer", "content-digest, signature");
      all.set("te", "trailers");
    },
  ],
];

const sound: Forged = { body: "amount=3", headers: { accept: "*/*", cookie: "a=1" } };

tryAll(
  "48: a proxy that",
  () => world,
  changes.map(
    ([what, wire]): Attack => [
      48,
      `${what} changes nothing for a sound request`,
      { ...sound, wire },
      "accepted",
    ],
  ),
);

/** One attack for each step that a request can fail at by what it carries. */
const attacks: readonly (readonly [string, Forged, RegExp])[] = [
  ["no signature", { wire: (all) => all.delete("signature") }, /missing/],
  [
    "a second signature of ours",
    { wire: (all) => all.append("signature", all.get("signature") ?? "") },
    /malformed/,
  ],
  ["another method", { arrives: { method: "PUT", body: "amount=3" } }, /proof/],
  [
    "another target",
    { arrives: { url: "https://payments/charge?amount=9&note=", body: "amount=3" } },
    /proof/,
  ],
  [
    "another audience",
    { parameters: { "wimse-aud": '"spiffe://example.org/ns/default/sa/web"' } },
    /audience/,
  ],
  ["an old proof", { parameters: { created: String(nowS - 90), expires: String(nowS - 60) } }, /clock/],
  ["another body", { arrives: { body: "amount=9" } }, /digest/],
];

describe("48: a proxy that changes what it may makes no attack succeed:", () => {
  test.each(attacks)("%s is refused for the same reason after each of them", async (_what, attack, step) => {
    for (const [, change] of changes) {
      const forged: Forged = {
        ...sound,
        ...attack,
        wire: (all) => {
          attack.wire?.(all);
          change(all);
        },
      };
      const request = await forge(world, forged);
      const copy = request.clone();
      const seen = await (await target(world)).arrive(request);
      expectRefused(seen, step);
      await expectExplained(copy, seen, world.bundle);
    }
  });
});

describe("46: what comes in trailers", () => {
  test("is no digest, no token and no signature: a request without them in its header is refused", async () => {
    for (const name of ["content-digest", "workload-identity-token", "signature", "signature-input"]) {
      const wire: Change = (all) => {
        all.delete(name);
        all.set("trailer", name);
      };
      const seen = await (await target(world)).arrive(await forge(world, { ...sound, wire }));
      expectRefused(seen, name === "content-digest" ? /proof/ : /missing/);
    }
  });
});

describe("48: a proxy that changes what it may not", () => {
  test.each<readonly [string, Change]>([
    ["the case of a covered value", (all) => all.set("content-type", "Application/JSON")],
    ["a blank within a covered value", (all) => all.set("content-type", "application / json")],
    ["a charset behind the type", (all) => all.set("content-type", "application/json; charset=utf-8")],
    [
      "the token's text",
      (all) => all.set("workload-identity-token", `${all.get("workload-identity-token")}=`),
    ],
    [
      "the order of parameters",
      (all) =>
        all.set(
          "signature-input",
          (all.get("signature-input") ?? "").replace(/(;created=\d+)(;expires=\d+)/, "$2$1"),
        ),
    ],
    ["the hops that the mesh counts", (all) => all.set("tulle-hops", "2")],
  ])("breaks the proof: %s", async (_what, wire) => {
    const seen = await (await target(world)).arrive(await forge(world, { ...sound, wire }));
    expectRefused(seen, /proof|token/);
    expect(seen.problem).toBe("unidentified");
  });
});

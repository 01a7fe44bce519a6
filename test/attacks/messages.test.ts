import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { makeWorld, type World } from "../unit/identity/fixture.ts";
import { type Attack, expectDenied, expectExplained, expectRefused, target, tryAll } from "./attack.ts";
import { type Forged, forge } from "./attacker.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

/** Signed for one URL, and sent to another. */
const sentTo = (url: string, signed = "https://payments/a/b?x=1&y=2"): Forged => ({
  url: signed,
  arrives: { url },
});
/** Signed for what it is: a sound proof of a path that an attacker hopes is read otherwise. */
const asking = (path: string): Forged => ({ url: new URL(`https://payments${path}`).href });

const methods: readonly Attack[] = [
  ...["GET", "PUT", "PATCH", "OPTIONS"].map(
    (method): Attack => [40, `${method} with the proof of a POST`, { arrives: { method } }, /proof/],
  ),
  [40, "DELETE with a proof of its own, which a rule denies", { method: "DELETE" }, "denied"],
  [40, "a method in lower case with a proof of its own", { method: "patch" }, /malformed|proof/],
  [
    40,
    "a header that names another method, which nobody here takes for one",
    { headers: { "x-http-method-override": "DELETE" } },
    "accepted",
  ],
];

const targets: readonly Attack[] = [
  [41, "another path", sentTo("https://payments/a/c?x=1&y=2"), /proof/],
  [41, "a trailing slash", sentTo("https://payments/a/b/?x=1&y=2"), /proof/],
  [41, "a trailing dot", sentTo("https://payments/a/b.?x=1&y=2"), /proof/],
  [41, "a doubled slash", sentTo("https://payments/a//b?x=1&y=2"), /proof/],
  [41, "a slash in front", sentTo("https://payments//a/b?x=1&y=2"), /proof/],
  [41, "an encoded letter", sentTo("https://payments/%61/b?x=1&y=2"), /proof/],
  [41, "an encoded slash", sentTo("https://payments/a%2Fb?x=1&y=2"), /proof/],
  [41, "an encoded backslash", sentTo("https://payments/a%5Cb?x=1&y=2"), /proof/],
  [41, "a path parameter", sentTo("https://payments/a/b;x?x=1&y=2"), /proof/],
  [41, "an encoded NUL", sentTo("https://payments/a/b%00?x=1&y=2"), /proof/],
  [
    41,
    "an accent composed otherwise",
    sentTo("https://payments/cafe%CC%81", "https://payments/caf%C3%A9"),
    /proof/,
  ],
  [
    41,
    "a dot segment that the URL parser removes: the same request",
    sentTo("https://payments/a/./b?x=1&y=2"),
    "accepted",
  ],
  [
    41,
    "a way up that the URL parser removes: the same request",
    sentTo("https://payments/a/c/../b?x=1&y=2"),
    "accepted",
  ],
  [41, "a way up to another path", sentTo("https://payments/a/b/../c?x=1&y=2"), /proof/],
  [
    41,
    "a backslash, which the URL parser turns: the same request",
    sentTo("https://payments/a\\b?x=1&y=2"),
    "accepted",
  ],
  ...[
    "/admin",
    "/administration",
    "/%61dmin",
    "/%41dmin/../admin",
    "/x/../admin",
    "/./admin",
    "/x/%2e%2e/admin",
    "/x/%2e./admin",
    "\\admin",
    "/admin;x",
    "/admin%00",
    "/admin%2Fx",
    "//admin",
    "/x//admin",
    "/x%2F..%2Fadmin",
    "/x%5C..%5Cadmin",
    "/%2561dmin",
    "/%C0%AFadmin",
    "/x/..%2fadmin",
    "/%",
    "/%zz",
    "/Admin",
    "/ADMIN/x",
    "/..;/admin",
    "/x;a/..;/admin",
    "/%25%36%31dmin",
    "/admin./x",
    "/\uff0fadmin",
    "/x/\u2024\u2024/admin",
  ].map(
    (path): Attack => [41, `a sound proof for ${path}, past the rule for /admin*`, asking(path), "denied"],
  ),
  [42, "another value in the query", sentTo("https://payments/a/b?x=1&y=3"), /proof/],
  [42, "another order of the query", sentTo("https://payments/a/b?y=2&x=1"), /proof/],
  [42, "a parameter twice", sentTo("https://payments/a/b?x=1&x=1&y=2"), /proof/],
  [42, "a parameter more", sentTo("https://payments/a/b?x=1&y=2&z"), /proof/],
  [42, "a parameter less", sentTo("https://payments/a/b?x=1"), /proof/],
  [42, "a lone question mark put behind", sentTo("https://payments/a?", "https://payments/a"), /proof/],
  [42, "a lone question mark taken away", sentTo("https://payments/a", "https://payments/a?"), /proof/],
  [
    42,
    "a plus sign for an encoded blank",
    sentTo("https://payments/a?x=1+2", "https://payments/a?x=1%202"),
    /proof/,
  ],
  [42, "an encoding in the query", sentTo("https://payments/a?x=%31", "https://payments/a?x=1"), /proof/],
  [43, "a fragment, which is no part of a request", sentTo("https://payments/a/b?x=1&y=2#z"), "accepted"],
  [43, "a fragment that hides the query", sentTo("https://payments/a/b#?x=1&y=2"), /proof/],
  [
    43,
    "absolute form as the target",
    { base: (base) => base.replace('"@request-target": /', '"@request-target": https://payments/') },
    /proof/,
  ],
  [
    43,
    "an asterisk as the target",
    { base: (base) => base.replace(/"@request-target": .*/, '"@request-target": *') },
    /proof/,
  ],
];

const headers: readonly Attack[] = [
  ...["authorization", "txn-token", "content-digest", "tulle-deadline-ms", "tulle-epoch", "tulle-x"].map(
    (name): Attack => [26, `${name} put in on the way`, { wire: (all) => all.set(name, "1") }, /malformed/],
  ),
  [26, "the mesh's own header taken away on the way", { wire: (all) => all.delete("tulle-hops") }, /proof/],
  [26, "the mesh's own header changed on the way", { wire: (all) => all.set("tulle-hops", "0") }, /proof/],
  [26, "another content type on the way", { wire: (all) => all.set("content-type", "text/html") }, /proof/],
  [
    26,
    "a second content type on the way",
    { wire: (all) => all.append("content-type", "text/html") },
    /proof/,
  ],
  [
    26,
    "the circuits that only responses tell of, which nobody hears",
    { wire: (all) => all.set("tulle-circuits", "x") },
    "accepted",
  ],
  [
    47,
    "200 headers of 500 bytes",
    {
      wire: (all) =>
        Array.from({ length: 200 }, (_, at) => all.set(`x-${at}`, "v".repeat(500))).forEach(() => {}),
    },
    "accepted",
  ],
  [
    47,
    "headers of 131,072 characters beside all others",
    { wire: (all) => all.set("x", "v".repeat(131_072)) },
    /malformed/,
  ],
  [
    47,
    "200 headers of the mesh's own",
    { headers: Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`tulle-${at}`, "v"])) },
    /malformed/,
  ],
];

tryAll("an attacker sends the method", () => world, methods);
tryAll("an attacker sends the target", () => world, targets);
tryAll("an attacker sends the header", () => world, headers);

describe("81: whatever one byte is another", () => {
  const turned = (text: string, at: number, by: number): string => {
    const place = at % text.length;
    const code = 0x21 + ((text.charCodeAt(place) - 0x21 + by) % 94);
    return text.slice(0, place) + String.fromCharCode(code) + text.slice(place + 1);
  };
  const covered = [
    "content-type",
    "tulle-hops",
    "content-digest",
    "workload-identity-token",
    "signature-input",
    "signature",
  ];

  test("of a covered part, the application is not called; of any other header, it is", async () => {
    const isolate = await target(world);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("target", "body", "x-app", ...covered),
        fc.nat(1_000),
        fc.integer({ min: 1, max: 93 }),
        async (part, at, by) => {
          const forged: Forged = {
            headers: { "x-app": "free" },
            body: "amount=3",
            wire: (all) => {
              if (all.has(part)) all.set(part, turned(all.get(part) ?? "", at, by));
            },
            arrives: {
              ...(part === "target"
                ? { url: `https://payments${turned("/charge?amount=3&note=", (at % 15) + 1, by)}` }
                : {}),
              ...(part === "body" ? { body: turned("amount=3", at, by) } : {}),
            },
          };
          const request = await forge(world, forged);
          const same = part === "target" && request.url === "https://payments/charge?amount=3&note=";
          const copy = request.clone();
          const seen = await isolate.arrive(request);
          await expectExplained(copy, seen, world.bundle);
          if (part === "x-app" || same) expect(seen.status).toBe(200);
          else if (seen.status === 403) expectDenied(seen);
          else expectRefused(seen, /.*/);
        },
      ),
      { seed: 81, numRuns: 300 },
    );
  });
});

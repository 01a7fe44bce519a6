import { beforeAll, describe, expect, test } from "vitest";
import { makeWorld, nowS, self, type World } from "../unit/identity/fixture.ts";
import { type Attack, expectRefused, target, tryAll } from "./attack.ts";
import { base64, type Forged, forge } from "./attacker.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const all = ['"@method"', '"@request-target"', '"content-type"', '"tulle-hops"', '"workload-identity-token"'];
const covering = (...components: readonly string[]): Forged => ({ components });
const allBut = (left: string): Forged => covering(...all.filter((component) => component !== left));
const saying = (name: string, value: string | undefined): Forged => ({ parameters: { [name]: value } });
/** With another text of a header on the way. */
const on =
  (name: string, change: (value: string) => string) =>
  (headers: Headers): void =>
    headers.set(name, change(headers.get(name) ?? ""));
const wire = (name: string, change: (value: string) => string): Forged => ({ wire: on(name, change) });
const rawSignature = (change: (raw: Uint8Array) => Uint8Array): Forged => ({ signature: change });
const der = (raw: Uint8Array): Uint8Array =>
  new Uint8Array([0x30, 0x44, 0x02, 0x20, ...raw.slice(0, 32), 0x02, 0x20, ...raw.slice(32)]);

const whole: readonly Attack[] = [
  [24, "no Signature", { wire: (headers) => headers.delete("signature") }, /missing/],
  [24, "no Signature-Input", { wire: (headers) => headers.delete("signature-input") }, /missing/],
  [24, "an empty Signature", wire("signature", () => ""), /malformed/],
  [24, "an empty Signature-Input", wire("signature-input", () => ""), /malformed/],
  [
    24,
    "another label on the signature",
    wire("signature", (text) => text.replace("wimse", "sig1")),
    /malformed/,
  ],
  [24, "another label on both, which is no attack", { label: "sig-1" }, "accepted"],
  [
    24,
    "a second label with our tag",
    wire("signature-input", (text) => `${text}, other=${text.slice("wimse=".length)}`),
    /malformed/,
  ],
  [
    24,
    "a second label with our tag, written with a blank",
    wire(
      "signature-input",
      (text) => `${text}, other=${text.slice("wimse=".length).replace(";tag", "; tag")}`,
    ),
    /malformed/,
  ],
  [
    24,
    "a foreign signature beside, which is no attack",
    {
      wire: (headers) => {
        on("signature-input", (text) => `bot=("@authority");tag="web-bot-auth", ${text}`)(headers);
        on("signature", (text) => `${text}, bot=:AAAA:`)(headers);
      },
    },
    "accepted",
  ],
  [25, "the token twice", wire("workload-identity-token", (text) => `${text}, ${text}`), /token|malformed/],
  [
    25,
    "a second Signature line",
    { wire: (headers) => headers.append("signature", headers.get("signature") ?? "") },
    /malformed/,
  ],
  [
    25,
    "a second Signature-Input line",
    { wire: (headers) => headers.append("signature-input", headers.get("signature-input") ?? "") },
    /malformed/,
  ],
  [
    25,
    "a foreign signature under our label, where others take the last",
    wire("signature-input", (text) => `${text}, wimse=("x");tag="other"`),
    /malformed/,
  ],
  [25, "a bare member under our label", wire("signature", (text) => `${text}, wimse`), /malformed/],
  ...[
    ["of 63 bytes", (raw: Uint8Array) => raw.slice(1)],
    ["of 65 bytes", (raw: Uint8Array) => new Uint8Array([...raw, 0])],
    ["in DER", der],
    ["of nothing", () => new Uint8Array(0)],
    ["of zeroes", () => new Uint8Array(64)],
    ["with r and s exchanged", (raw: Uint8Array) => new Uint8Array([...raw.slice(32), ...raw.slice(0, 32)])],
  ].map(
    ([what, change]): Attack => [
      20,
      `a signature ${what as string}`,
      rawSignature(change as (raw: Uint8Array) => Uint8Array),
      /malformed|proof/,
    ],
  ),
  [
    20,
    "spare bits of the signature",
    // Four of the last digit of 64 bytes, two of that of 32.
    wire("signature", (text) => text.replace(/.(==?):$/, "B$1:")),
    /malformed|proof/,
  ],
  [
    20,
    "the signature in base64url",
    wire("signature", (text) => text.replace(/[+/]/g, "-").replace(/(?<==:)./, "_")),
    /malformed/,
  ],
];

const covered: readonly Attack[] = [
  [26, "a component twice", covering(...all, '"@method"'), /malformed/],
  ...all.map((left): Attack => [26, `a signature that leaves ${left} open`, allBut(left), /malformed/]),
  ...["authorization", "txn-token", "content-digest", "tulle-deadline-ms", "tulle-anything"].map(
    (name): Attack => [
      26,
      `a signature that leaves ${name} open`,
      { headers: { [name]: "x" }, components: all },
      /malformed/,
    ],
  ),
  [26, "a component that the message has not", covering(...all, '"x-missing"'), /proof/],
  [27, "a signature over nothing", covering(), /malformed/],
  ...[
    "@target-uri",
    "@authority",
    "@path",
    "@query",
    "@scheme",
    "@status",
    "@signature-params",
    "@x",
    "@",
  ].map((name): Attack => [28, `the derived component ${name}`, covering(...all, `"${name}"`), /malformed/]),
  ...["req", "sf", "bs", "tr", 'key="a"', 'name="a"'].map(
    (parameter): Attack => [
      28,
      `a component with ;${parameter}`,
      covering(...all, `"x-a";${parameter}`),
      /malformed/,
    ],
  ),
  [28, ";req on the method", covering('"@method";req', ...all.slice(1)), /malformed/],
  [
    29,
    "another method by a header that is called as the component",
    { base: (base) => base.replace('"@method": POST', '"@method": GET') },
    /proof/,
  ],
  [
    29,
    "a header as long as the component, @method in capitals",
    covering('"@Method"', ...all.slice(1)),
    /malformed/,
  ],
  [35, "another order of components, which is no attack", covering(...all.toReversed()), "accepted"],
  [
    35,
    "another order and case of headers, which is no attack",
    { headers: { "TULLE-Hops": "1", "Content-Type": "application/json" } },
    "accepted",
  ],
  [38, "a quote in a component", covering(...all, '"x\\"a"'), /malformed/],
  [38, "a component that is not closed", covering(...all, '"x'), /malformed/],
  [38, "a component that is a token", covering(...all, "x-a"), /malformed/],
  [38, "a component in capitals", covering(...all, '"X-A"'), /malformed/],
  [38, "a component with a colon and what could be a line", covering(...all, '"x": y\\n"z"'), /malformed/],
  [38, "a control character in a covered value", { headers: { "content-type": "a\u0001" } }, /proof/],
  [38, "a letter outside ASCII in a covered value", { headers: { "content-type": "caf\u00e9" } }, /proof/],
  [38, "U+0085 in a covered value", { headers: { "content-type": "a\u0085b" } }, /proof/],
  [38, "a control character put in on the way", wire("content-type", (text) => `${text}\u0001`), /proof/],
  [47, "65 components", covering(...all, ...Array.from({ length: 60 }, (_, at) => `"x-${at}"`)), /malformed/],
  [
    47,
    "a Signature-Input of 20 KB",
    wire("signature-input", (text) => `${text}, ${"a,".repeat(10_000)}b`),
    /malformed/,
  ],
  [47, "a Signature of 20 KB", wire("signature", (text) => `${text}, ${"a,".repeat(10_000)}b`), /malformed/],
  [47, "a token of 100 KB", wire("workload-identity-token", (text) => text.repeat(200)), /malformed/],
];

const times = (created: number, expires: number): Forged => ({
  parameters: { created: String(created), expires: String(expires) },
});

const said: readonly Attack[] = [
  [30, "alg", saying("alg", '"ecdsa-p256-sha256"'), /malformed/],
  [30, "alg of a MAC", saying("alg", '"hmac-sha256"'), /malformed/],
  [30, "keyid", saying("keyid", '"issuer-1"'), /malformed/],
  [30, "a parameter that nobody knows", saying("x", "1"), /malformed/],
  ...["created", "expires", "nonce", "tag", "wimse-aud"].map(
    (name): Attack => [31, `no ${name}`, saying(name, undefined), /malformed/],
  ),
  ...["1.5", `"${nowS}"`, "-1", "9999999999999999", "", "?1", `@${nowS}`, "0x10", "1e9", `0${nowS}`].map(
    (value): Attack => [31, `created ${value}`, saying("created", value), /malformed/],
  ),
  [31, "expires before created", times(nowS + 2, nowS + 1), /clock/],
  [31, "expires when created", times(nowS + 1, nowS + 1), /clock/],
  [31, "a validity of 61 s", times(nowS, nowS + 61), /clock/],
  [31, "a validity for ever", times(0, 999_999_999_999_999), /clock/],
  [31, "a proof from ahead of the skew", times(nowS + 6, nowS + 30), /clock/],
  [31, "a proof that has expired", times(nowS - 31, nowS - 1), /clock/],
  [63, "a clock 4 s ahead, which is no attack", times(nowS + 4, nowS + 34), "accepted"],
  [63, "a clock 4 s behind, which is no attack", times(nowS - 4, nowS + 26), "accepted"],
  [63, "a clock 90 s ahead", times(nowS + 90, nowS + 120), /clock/],
  [63, "a clock 90 s behind", times(nowS - 90, nowS - 60), /clock/],
  ...['""', `"${"n".repeat(65)}"`, '"\u00e9"', "nonce", "1", ":AAAA:", '"a\\"b"', '"\t"'].map(
    (value): Attack => [32, `nonce ${value.slice(0, 12)}`, saying("nonce", value), /malformed/],
  ),
  [32, "a nonce of 64 characters, which is no attack", saying("nonce", `"${"m".repeat(64)}"`), "accepted"],
  ...[
    '"web-bot-auth"',
    '"WIMSE-workload-to-workload"',
    '"wimse-workload-to-workload "',
    "wimse-workload-to-workload",
    "",
  ].map((value): Attack => [33, `tag ${value}`, saying("tag", value), /malformed/]),
  ...[
    "spiffe://example.org/ns/default/sa/refunds",
    self.slice(0, -1),
    `${self}2`,
    `${self}/`,
    self.toUpperCase(),
    "https://payments/charge",
    "https://payments",
    "payments",
    "",
    "*",
    ` ${self}`,
  ].map(
    (audience): Attack => [34, `wimse-aud "${audience}"`, saying("wimse-aud", `"${audience}"`), /audience/],
  ),
  [34, "two audiences", saying("wimse-aud", `("${self}" "x")`), /malformed/],
  [
    34,
    "Host and X-Forwarded-Host in the place of the audience",
    {
      headers: { "x-forwarded-host": "refunds", forwarded: "host=refunds" },
      url: "https://refunds/charge",
      parameters: { "wimse-aud": '"https://refunds"' },
    },
    /audience/,
  ],
];

const order = (text: string): string =>
  text.replace(/;created=(\d+);expires=(\d+)/, ";expires=$2;created=$1");

const changed: readonly Attack[] = [
  [36, "parameters in another order than was signed", wire("signature-input", order), /proof/],
  [
    37,
    "a blank between parameters",
    wire("signature-input", (text) => text.replace(";nonce", "; nonce")),
    /malformed/,
  ],
  [
    37,
    "two blanks between components",
    wire("signature-input", (text) => text.replace('" "', '"  "')),
    /malformed/,
  ],
  [
    37,
    "a blank at the ends of the list",
    wire("signature-input", (text) => text.replace("(", "( ")),
    /malformed/,
  ],
  [
    37,
    "a tab between components",
    wire("signature-input", (text) => text.replace('" "', '"\t"')),
    /malformed/,
  ],
  [
    38,
    "our tag within another string",
    wire("signature-input", (text) => text.replace(/nonce="[^"]*"/, 'nonce=";tag=x"')),
    /malformed|proof/,
  ],
  [
    31,
    "a later expiry",
    wire("signature-input", (text) => text.replace(`expires=${nowS + 30}`, `expires=${nowS + 31}`)),
    /proof/,
  ],
  [
    34,
    "another audience on the way",
    wire("signature-input", (text) => text.replace("payments", "refunds")),
    /proof/,
  ],
  [
    32,
    "another nonce on the way",
    wire("signature-input", (text) => text.replace(/nonce="/, 'nonce="x')),
    /proof/,
  ],
];

tryAll("an attacker sends a signature with", () => world, whole);
tryAll("an attacker signs", () => world, covered);
tryAll("an attacker says in a sound signature", () => world, said);
tryAll("an attacker writes a sound signature otherwise:", () => world, changed);

describe("whatever is signed, and put otherwise on the wire", () => {
  test("36: any order of parameters is verified as it was signed", async () => {
    const isolate = await target(world);
    const names = ["created", "expires", "nonce", "tag", "wimse-aud"];
    const values: Readonly<Record<string, string>> = {
      created: String(nowS),
      expires: String(nowS + 30),
      tag: '"wimse-workload-to-workload"',
      "wimse-aud": `"${self}"`,
    };
    for (let turn = 0; turn < names.length; turn++) {
      names.push(names.shift() ?? "");
      // The base is written anew in this order; the toolbox's own order is thrown away.
      const rewrite = (text: string): string =>
        text.replace(
          /\);.*$/m,
          `)${names.map((name) => `;${name}=${values[name] ?? `"turn-${turn}"`}`).join("")}`,
        );
      const seen = await isolate.arrive(
        await forge(world, { base: rewrite, wire: on("signature-input", rewrite) }),
      );
      expect([seen.status, seen.reason]).toEqual([200, ""]);
    }
  });

  test("2: a MAC keyed with the caller's public key is no signature", async () => {
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(JSON.stringify(world.keys.publicJwk)),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode("base")));
    for (const bytes of [
      mac,
      mac.slice(0, 16),
      new Uint8Array([...mac, 0]),
      new Uint8Array([...mac, ...mac]),
    ]) {
      const request = await forge(
        world,
        wire("signature", () => `wimse=:${base64(bytes)}:`),
      );
      expectRefused(await (await target(world)).arrive(request), /malformed|proof/);
    }
  });
});

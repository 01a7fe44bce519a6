import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseSignature,
  parseSignatureInput,
  signatureParameters,
} from "../../../mesh-runtime/identity/signature-input.ts";
import wimse from "../../vectors/wimse.json" with { type: "json" };
import { value } from "./fixture.ts";

const parameters =
  'created=1790000000;expires=1790000030;nonce="n";tag="wimse-workload-to-workload";wimse-aud="spiffe://example.org/a"';
const valid = `wimse=("@method" "@request-target" "workload-identity-token");${parameters}`;
const swap = (from: string, to: string) => valid.replace(from, to);

describe("parseSignatureInput()", () => {
  test("reads what a proof says", () => {
    expect(parseSignatureInput(valid)).toEqual({
      ok: true,
      value: {
        label: "wimse",
        components: ["@method", "@request-target", "workload-identity-token"],
        parameters: valid.slice("wimse=".length),
        created: 1_790_000_000,
        expires: 1_790_000_030,
        nonce: "n",
        audience: "spiffe://example.org/a",
        signResponse: false,
        bySession: false,
      },
    });
  });

  test("reads the draft's own example", () => {
    const header = wimse.request.headers.find(([name]) => name === "Signature-Input")?.[1] ?? "";
    expect(value(parseSignatureInput(header))).toMatchObject({
      components: ["@method", "@request-target", "workload-identity-token"],
      created: 1_785_155_797,
      nonce: "abcd1111",
      audience: "https://svcb.example.com/gimme-ice-cream",
      signResponse: true,
      bySession: false,
    });
  });

  test("takes any label and any order of parameters", () => {
    expect(parseSignatureInput(swap("wimse=(", "sig-1.*_x=("))).toMatchObject({
      ok: true,
      value: { label: "sig-1.*_x" },
    });
    const backwards = `wimse=("@method");${parameters.split(";").toReversed().join(";")}`;
    expect(value(parseSignatureInput(backwards))).toMatchObject({ nonce: "n", created: 1_790_000_000 });
  });

  test("passes over signatures with other tags, wherever they stand", () => {
    const foreign = 'sig=("@authority" "x";sf);created=1;keyid="a,b\\",c";alg="ed25519";tag="web-bot-auth"';
    for (const header of [
      `${foreign}, ${valid}`,
      `${valid},${foreign}`,
      `${foreign}\t,  ${valid} ,${foreign.replace("sig=", "sig2=")}`,
    ]) {
      expect(parseSignatureInput(header)).toEqual(parseSignatureInput(valid));
    }
  });

  test.each([
    ["nothing", ""],
    ["no tag", swap(';tag="wimse-workload-to-workload"', "")],
    ["another tag", swap("workload-to-workload", "workload-to-work")],
    ["our tag in upper case", swap("wimse-workload-to-workload", "WIMSE-WORKLOAD-TO-WORKLOAD")],
    ["our tag as a token", swap('"wimse-workload-to-workload"', "wimse-workload-to-workload")],
    ["two signatures with our tag", `${valid}, ${swap("wimse=", "other=")}`],
    ["our tag twice", `${valid};tag="wimse-workload-to-workload"`],
    ["no label", valid.slice("wimse".length)],
    ["a label in upper case", swap("wimse=", "Wimse=")],
    ["no list", swap('("@method" "@request-target" "workload-identity-token")', '"@method"')],
    ["an open list", swap(")", "")],
    ["a component twice", swap('"@request-target"', '"@request-target" "@method"')],
    ["an unknown derived component", swap('"@method"', '"@target-uri"')],
    ["@status, which only responses have", swap('"@method"', '"@status"')],
    ["@signature-params as a component", swap('"@method"', '"@signature-params"')],
    ["a component with ;req", swap('"@method"', '"@method";req')],
    ["a component with ;sf", swap('-token"', '-token";sf')],
    ["a component with ;bs", swap('-token"', '-token";bs')],
    ["a component with ;tr", swap('-token"', '-token";tr')],
    ["a component with ;key", swap('-token"', '-token";key="a"')],
    ["a component in upper case", swap("workload-identity", "Workload-Identity")],
    ["an empty component", swap('"@method"', '""')],
    ["a component that is a token", swap('"@method"', "@method")],
    ["a component that is not closed", swap('"@method"', '"@method')],
    ["a component with an escape", swap('"@method"', '"@me\\"thod"')],
    ["a component with a line feed", swap('"@method"', '"@method\\n"')],
    ["two blanks between components", swap('" "', '"  "')],
    ["no blank between components", swap('" "', '""')],
    ["a blank at the list's end", swap(")", " )")],
    ["a tab between components", swap('" "', '"\t"')],
    ["too many components", swap('"@method"', Array.from({ length: 65 }, (_, at) => `"x-${at}"`).join(" "))],
    ["keyid", `${valid};keyid="k"`],
    ["alg", `${valid};alg="ecdsa-p256-sha256"`],
    ["an unknown parameter", `${valid};x`],
    ["a blank between parameters", swap(";expires", "; expires")],
    ["an empty parameter", `${valid};`],
    ["a parameter without its value", swap("created=1790000000", "created=")],
    ["created as a boolean", swap("created=1790000000", "created")],
    ["no created", swap("created=1790000000;", "")],
    ["created twice", `${valid};created=1790000000`],
    ["a fractional created", swap("1790000000", "1790000000.5")],
    ["created as a string", swap("1790000000", '"1790000000"')],
    ["a negative created", swap("1790000000", "-1")],
    ["a created with a leading zero", swap("1790000000", "01790000000")],
    ["a created of 16 digits", swap("1790000000", "1790000000000000")],
    ["a created as a date", swap("1790000000", "@1790000000")],
    ["no expires", swap("expires=1790000030;", "")],
    ["no nonce", swap('nonce="n";', "")],
    ["an empty nonce", swap('nonce="n"', 'nonce=""')],
    ["a nonce of 65 characters", swap('nonce="n"', `nonce="${"n".repeat(65)}"`)],
    ["a nonce outside ASCII", swap('nonce="n"', 'nonce="\u00e9"')],
    ["a nonce with an escape", swap('nonce="n"', 'nonce="\\\\"')],
    ["a nonce that is a token", swap('nonce="n"', "nonce=n")],
    ["a nonce that is not closed", swap('nonce="n"', 'nonce="n')],
    ["no wimse-aud", swap(';wimse-aud="spiffe://example.org/a"', "")],
    ["wimse-aud as a token", swap('"spiffe://example.org/a"', "spiffe://example.org/a")],
    ["wimse-sign-response=?0", `${valid};wimse-sign-response=?0`],
    ["more than 4 KB", swap("spiffe://example.org/a", "a".repeat(4_096))],
  ])("refuses %s", (_, header) => {
    expect(parseSignatureInput(header).ok).toBe(false);
  });

  test("reads back what signatureParameters() writes", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const plain = fc.stringMatching(/^[!#-[\]-~]{1,64}$/);
    const time = fc.integer({ min: 0, max: 999_999_999_999_999 });
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 20 }),
        time,
        time,
        plain,
        plain,
        (components, created, expires, nonce, audience) => {
          const text = signatureParameters(components, { created, expires, nonce, audience });
          expect(value(parseSignatureInput(`wimse=${text}`))).toEqual({
            label: "wimse",
            components,
            parameters: text,
            created,
            expires,
            nonce,
            audience,
            signResponse: false,
            bySession: false,
          });
        },
      ),
      { seed: 9_421, numRuns: 200 },
    );
  });

  test("answers any text with a result, in bounded time, and never throws", () => {
    const piece = fc.constantFrom(
      ...'()";=,: \\',
      "wimse",
      ";tag=",
      '"wimse-workload-to-workload"',
      parameters,
      valid,
      "created=1",
      '"a"',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        const parsed = parseSignatureInput(text);
        if (parsed.ok) expect(text).toContain(parsed.value.parameters);
        expect(typeof parseSignature(text, "wimse").ok).toBe("boolean");
      }),
      { seed: 9_421, numRuns: 1_000 },
    );
  });
});

describe("parseSignature()", () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, at) => at * 3);
  const text = btoa(String.fromCharCode(...bytes));

  test("finds the bytes under the label, among others", () => {
    expect(value(parseSignature(`wimse=:${text}:`, "wimse"))).toEqual(bytes);
    expect(value(parseSignature(`other=:AAAA:, wimse=:${text}: , wimse2=:AAAA:`, "wimse"))).toEqual(bytes);
  });

  test.each([
    ["nothing", ""],
    ["another label", `wims=:${text}:`],
    ["a label that only begins so", `wimse2=:${text}:`],
    ["the label twice", `wimse=:${text}:, wimse=:${text}:`],
    ["a string", `wimse="${text}"`],
    ["an empty signature", "wimse=::"],
    ["63 bytes", `wimse=:${btoa("a".repeat(63))}:`],
    ["65 bytes", `wimse=:${btoa("a".repeat(65))}:`],
    ["DER instead of raw", `wimse=:${btoa(`0E\u0002!${"a".repeat(66)}`)}:`],
    ["no padding", `wimse=:${text.replaceAll("=", "")}:`],
    ["spare bits set", `wimse=:${text.slice(0, 85)}${text[85] === "A" ? "B" : "R"}==:`],
    ["base64url", `wimse=:${text.replace(/[A-Za-z]/, "_")}:`],
    ["blanks inside", `wimse=:${text.slice(0, 40)}    ${text.slice(44)}:`],
    ["a parameter", `wimse=:${text}:;a`],
    ["too much", `wimse=:${text}:, x=:${"A".repeat(2_048)}:`],
  ])("refuses %s", (_, header) => {
    expect(parseSignature(header, "wimse").ok).toBe(false);
  });
});

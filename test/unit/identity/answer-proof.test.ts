import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { parseAnswerInput } from "../../../mesh-runtime/identity/answer-input.ts";
import {
  type Asked,
  answerBase,
  signAnswer,
  verifyAnswer,
} from "../../../mesh-runtime/identity/answer-proof.ts";
import { parseSignature } from "../../../mesh-runtime/identity/signature-input.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import wimse from "../../vectors/wimse.json" with { type: "json" };
import { caller, makeWorld, now, value, type World } from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const asked: Asked = {
  method: "POST",
  url: "https://payments/charge?amount=3&note=",
  nonce: "n-1",
  token: "a.b.c",
};

async function signedAnswer(headers: Record<string, string> = { "content-type": "text/plain" }) {
  const all = new Headers(headers);
  const by = { credential: world.credential, now, nonce: "m-1" };
  for (const [name, text] of value(await signAnswer({ status: 200, headers: all }, asked, by)))
    all.set(name, text);
  return { status: 200, headers: all };
}
async function outcome(
  answer: { readonly status: number; readonly headers: Headers },
  to: Asked = asked,
): Promise<string> {
  const by = { by: caller, bundle: world.bundle, cache: new WitCache(), now };
  const verified = await verifyAnswer(answer, to, by);
  return verified.ok ? "accepted" : verified.reason.step;
}

describe("the proof of an answer", () => {
  test("says what http-signature lists, and names the request", async () => {
    const { headers } = await signedAnswer({
      "content-type": "text/plain",
      "tulle-epoch": "7",
      "x-app": "1",
    });
    expect(headers.get("signature-input")).toBe(
      'wimse=("@status" "@method";req "@request-target";req "workload-identity-token";req ' +
        '"content-type" "tulle-epoch" "workload-identity-token")' +
        ';created=1790000000;expires=1790000030;nonce="m-1";tag="wimse-workload-to-workload";wimse-req-nonce="n-1"',
    );
  });

  test("is believed for the request that it names, and for no other", async () => {
    const answer = await signedAnswer();
    expect(await outcome(answer)).toBe("accepted");
    expect(await outcome(answer, { ...asked, nonce: "n-2" })).toBe("replay");
    expect(await outcome(answer, { ...asked, method: "PUT" })).toBe("proof");
    expect(await outcome(answer, { ...asked, url: "https://payments/charge?amount=3&note" })).toBe("proof");
    expect(await outcome(answer, { ...asked, token: "a.b.d" })).toBe("proof");
    expect(await outcome({ ...answer, status: 201 })).toBe("proof");
  });

  test("covers more where its signer likes that", async () => {
    const answer = await signedAnswer();
    answer.headers.set("x-app", "1");
    expect(await outcome(answer)).toBe("accepted");
    const input = answer.headers.get("signature-input") ?? "";
    answer.headers.set("signature-input", input.replace(")", ' "x-app")'));
    expect(await outcome(answer)).toBe("proof");
    answer.headers.set("signature-input", input.replace(")", ' "x-missing")'));
    expect(await outcome(answer)).toBe("proof");
  });

  test("is not made of what cannot be written unambiguously", async () => {
    const by = { credential: world.credential, now, nonce: "m-1" };
    const headers = new Headers({ "content-type": "a\u0001" });
    expect(await signAnswer({ status: 200, headers }, asked, by)).toMatchObject({ ok: false });
  });

  test("is not made over more parts than one that verifies looks at", async () => {
    const by = { credential: world.credential, now, nonce: "m-1" };
    const named = (count: number) =>
      new Headers(Array.from({ length: count }, (_, at): [string, string] => [`tulle-x${at}`, "1"]));
    // Beside them: four that every answer has, and our token.
    expect(await outcome(await signedAnswer(Object.fromEntries(named(59))))).toBe("accepted");
    expect(await signAnswer({ status: 200, headers: named(60) }, asked, by)).toMatchObject({
      ok: false,
      reason: expect.stringContaining("more than 64"),
    });
  });

  test("no change of one character of what is covered is believed", async () => {
    const answer = await signedAnswer();
    const covered = ["content-type", "workload-identity-token", "signature-input", "signature"];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...covered),
        fc.nat(),
        fc.constantFrom("A", "b", "0", '"', ";", " "),
        async (name, at, by) => {
          const headers = new Headers(answer.headers);
          const text = headers.get(name) ?? "";
          const place = at % text.length;
          const changed = text.slice(0, place) + by + text.slice(place + 1);
          // Blanks around a value belong to no field.
          if (changed.trim() === text.trim()) return;
          headers.set(name, changed);
          expect(await outcome({ status: 200, headers })).not.toBe("accepted");
        },
      ),
      { seed: 49, numRuns: 300 },
    );
  });
});

describe("the draft's example response", () => {
  const headers = new Headers(wimse.response.headers as [string, string][]);

  test("has the parts that we read, and verifies over the base that the draft gives", async () => {
    const input = value(parseAnswerInput(headers.get("signature-input") ?? ""));
    expect(input).toMatchObject({ requestNonce: "abcd1111", nonce: "abcd2222", created: 1_785_155_797 });
    expect(input.components).toContain('"@request-target";req');
    const key = await crypto.subtle.importKey("jwk", wimse.response.publicKey, "Ed25519", false, ["verify"]);
    const signature = value(parseSignature(headers.get("signature") ?? "", input.label));
    const { status, signatureBase } = wimse.response;
    const { method, requestTarget } = wimse.request;
    const to = { method, url: `https://svcb.example.com${requestTarget}`, nonce: "abcd1111", token: "" };
    const base = answerBase(input.components, input.parameters, { status, headers }, to, new Map());
    expect(value(base)).toBe(signatureBase);
    const bytes = new TextEncoder().encode(signatureBase);
    expect(await crypto.subtle.verify("Ed25519", key, signature, bytes)).toBe(true);
  });
});

describe("parseAnswerInput() refuses", () => {
  const list = '("@status" "@method";req "@request-target";req)';
  const parameters = 'created=1;expires=2;nonce="n";tag="wimse-workload-to-workload";wimse-req-nonce="r"';
  const valid = `wimse=${list};${parameters}`;

  test("nothing of a sound one, in any order of parameters", () => {
    expect(parseAnswerInput(valid).ok).toBe(true);
    expect(parseAnswerInput(`wimse=${list};${parameters.split(";").toReversed().join(";")}`).ok).toBe(true);
  });

  test.each([
    ["an empty list", valid.replace(list, "()")],
    ["two blanks", valid.replace('" "', '"  "')],
    ["a component without quotes", valid.replace('"@status"', "@status")],
    ["a derived component that no answer has", valid.replace('"@status"', '"@path"')],
    ["a status of the request", valid.replace('"@status"', '"@status";req')],
    ["a header of the request", valid.replace('"@status"', '"content-type";req')],
    ["capitals", valid.replace('"@status"', '"Content-Type"')],
    ["an audience", `${valid};wimse-aud="x"`],
    ["a demand for another answer", `${valid};wimse-sign-response`],
    ["a request's nonce that is no text", valid.replace('"r"', "1")],
    ["a nonce twice", `${valid};nonce="n"`],
    ["too many components", valid.replace(")", `${' "x"'.repeat(70)})`)],
    ["no list", "wimse=1"],
    ["a text without end", valid.slice(0, -1)],
  ])("%s", (_, text) => {
    expect(parseAnswerInput(text).ok).toBe(false);
  });
});

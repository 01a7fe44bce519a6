import { describe, expect, test } from "vitest";
import { denoAttestation } from "../../../mesh-runtime/adapters/deno/attest.ts";

const nonce = "n".repeat(72);
const asked: string[] = [];

/** A control that answers so, and a platform that puts the audience into its token. */
const attesting = (answer: Response, idToken = async (audience: string) => `token for ${audience}`) =>
  denoAttestation({
    controlUrl: "https://control.example.com/",
    idToken,
    fetch: async (url, init) => {
      asked.push(`${init?.method} ${url} ${init?.redirect}`);
      return answer;
    },
  });

describe("a process on Deno Deploy", () => {
  test("has the platform vouch for its key: to this control plane, over a fresh nonce", async () => {
    expect(await attesting(Response.json({ ok: true, nonce }))("thumb")).toBe(
      `token for https://control.example.com/attest#${nonce}.thumb`,
    );
    expect(asked).toEqual(["POST https://control.example.com/workload/nonce manual"]);
  });

  test.each<[string, Response, RegExp]>([
    ["an error", new Response("no", { status: 503 }), /answered 503/],
    ["a redirect", new Response(null, { status: 302, headers: { location: "https://x" } }), /answered 302/],
    ["nothing", Response.json(null), /nonce that is none/],
    ["a number", Response.json({ nonce: 1 }), /nonce that is none/],
    ["a short one", Response.json({ nonce: "n" }), /nonce that is none/],
    ["one with another key behind it", Response.json({ nonce: `${nonce}.thief` }), /nonce that is none/],
  ])("asks the platform for nothing when control gives %s for a nonce", async (_what, answer, why) => {
    const platform = async (): Promise<string> => {
      throw new Error("the platform was asked");
    };
    await expect(attesting(answer, platform)("thumb")).rejects.toThrow(why);
  });

  test("says so when the platform gives no token", async () => {
    const attest = attesting(Response.json({ ok: true, nonce }), async () => "");
    await expect(attest("thumb")).rejects.toThrow("the platform gave no token");
  });
});

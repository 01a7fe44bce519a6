import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base64url } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import type { CheckAnswer } from "../../control/api/contract.ts";
import { api, apply, service } from "./support.ts";

const head = "heads/default/web";
const read = (key: string) => env.POLICIES.get(key);
const put = (key: string, text: string | null) =>
  text === null ? env.POLICIES.delete(key) : env.POLICIES.put(key, text);
const sync = () => api("POST", "/api/sync", {});

/** What check says of KV, without what is in order. */
const complaints = async () =>
  (await api<CheckAnswer>("GET", "/api/check")).body.checks
    .filter(({ name, result }) => name.startsWith("KV") && result !== "ok")
    .map(({ name, result, detail, remedy = "" }) => [name, result, `${detail} ${remedy}`]);

/** A document as it is, with another payload under the same signature. */
function altered(jws: string): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const text = new TextDecoder().decode(base64url.decode(payload));
  return [header, base64url.encode(text.replace(/"iat":\d/, '"iat":9')), signature].join(".");
}

beforeEach(() => reset());

describe("KV that was tampered with", () => {
  test("in order, is what control signed", async () => {
    await apply(service("web"), service("other"));
    expect(await complaints()).toEqual([]);
  });

  test.each<[what: string, how: string, key: string, put: () => Promise<string | null>]>([
    ["a bundle with another payload", "signed by", "bundle", async () => altered(`${await read("bundle")}`)],
    ["a bundle that is none", "signed by", "bundle", async () => "eyJhbGciOiJub25lIn0.e30.AAAA"],
    ["no bundle", "gone", "bundle", async () => null],
    ["a head in the bundle's place", "signed by", "bundle", () => read(head)],
    ["a head with another payload", "signed by", head, async () => altered(`${await read(head)}`)],
    ["another workload's head", "signed by", head, () => read("heads/default/other")],
    ["no head", "gone", head, async () => null],
  ])("%s: check says so, and sync writes the right one again", async (_what, how, key, tampered) => {
    await apply(service("web"), service("other"));
    const right = await read(key);
    await put(key, await tampered());
    const result = how === "gone" ? "warning" : "failed";
    expect(await complaints()).toEqual([[`KV ${key}`, result, expect.stringContaining(how)]]);
    await sync();
    expect([await read(key), await complaints()]).toEqual([right, []]);
  });

  test("what control signed before may be late, or was put back", async () => {
    await apply(service("web"));
    const before = `${await read(head)}`;
    await apply(service("other"));
    await put(head, before);
    expect(await complaints()).toEqual([[`KV ${head}`, "warning", expect.stringContaining("older")]]);
    await sync();
    expect(await complaints()).toEqual([]);
  });

  test("a snapshot that is gone with its head is written again with it", async () => {
    await apply(service("web"));
    for (const { name } of (await env.POLICIES.list({ prefix: "snapshots/" })).keys) await put(name, null);
    await put(head, null);
    await sync();
    expect((await env.POLICIES.list({ prefix: "snapshots/" })).keys).toHaveLength(1);
  });
});

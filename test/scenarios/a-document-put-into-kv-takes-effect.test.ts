import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Revision, SyncAnswer } from "../../control/api/contract.ts";
import { temporaryDirectory, tulle } from "../cli/tulle.ts";
import { open, split, virtual } from "../support/policy-texts.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const key = "policies/HTTPRoute/default/payments";
const allTo = (version: string): string => split("payments", { v1: 0, v2: 0, [version]: 1 });

const directory = temporaryDirectory();
const persist = join(directory.path, "state");
let mesh: TestMesh;

const start = (policies: readonly string[]): Promise<TestMesh> =>
  startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      v1: { fetch: () => new Response("v1") },
      v2: { fetch: () => new Response("v2") },
    },
    policies,
    persist,
    controlVars: { TULLE_KEY_SECRET: "key-secret-of-this-test-0123456789abcdef" },
  });

beforeAll(async () => {
  mesh = await start([virtual("payments"), open("v1", "v2"), allTo("v1")]);
});
afterAll(async () => {
  await mesh.dispose();
  directory[Symbol.dispose]();
});

const kv = () => mesh.runtime.getKVNamespace("POLICIES", "tulle-control");
const put = async (text: string, at = key): Promise<void> => (await kv()).put(at, text);
const sync = async (): Promise<SyncAnswer> =>
  (await mesh.api("/api/sync", { method: "POST" })).json() as Promise<SyncAnswer>;
const newest = async (): Promise<Revision | undefined> =>
  ((await (await mesh.api("/api/policies/history")).json()) as readonly Revision[])[0];
const answering = async (): Promise<string> => (await mesh.from("web").fetch("http://payments/")).text();
const run = (...words: string[]) =>
  tulle(words, { env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token } });

/** Asks until somebody else answers: isolates learn of a new policy from the traffic itself. */
async function answeringInTime(version: string): Promise<string> {
  for (let request = 0; request < 200; request++) {
    if ((await answering()) === version) return version;
    await mesh.settle();
  }
  return answering();
}

test("a valid document becomes a revision by the author kv, and workers follow it", async () => {
  expect(await answering()).toBe("v1");
  await put(allTo("v2"));
  const synced = await sync();
  expect(synced).toMatchObject({
    revision: 2,
    adopted: [{ kind: "HTTPRoute", namespace: "default", name: "payments", action: "changed" }],
    invalid: [],
  });
  expect(await newest()).toMatchObject({ revision: 2, author: "kv", reason: "found in KV" });
  expect(await answeringInTime("v2")).toBe("v2");
  expect((await sync()).adopted).toEqual([]);
});

test("control finds it by itself on its schedule", async () => {
  await put(allTo("v1"));
  const control = await mesh.runtime.getWorker("tulle-control");
  await control.scheduled({ cron: "*/1 * * * *" });
  expect(await newest()).toMatchObject({ revision: 3, author: "kv" });
  expect(await answeringInTime("v1")).toBe("v1");
});

test("an invalid one is reported with its line, shown by tulle check, and the last good one stays in force", async () => {
  await put(allTo("v2").replace("weight: 1 ", "weight: many "));
  const ended = await run("sync");
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain(`${key}  invalid`);
  expect(ended.stderr).toContain(`${key}:10:41  error  spec.rules[0].backendRefs[1].weight: `);
  expect(ended.stdout).toContain("1 document cannot be taken up; the last good ones stay.");
  const checked = await run("check");
  expect(checked.stdout).toMatch(
    new RegExp(`^warning {2}KV ${key}: What was put there is not in force: .*weight`, "m"),
  );
  expect(await newest()).toMatchObject({ revision: 3 });
  await mesh.settle();
  expect(await answering()).toBe("v1");
});

test("once it is mended it takes effect, and nothing complains any longer", async () => {
  await put(allTo("v2"));
  expect(await sync()).toMatchObject({ revision: 4, invalid: [] });
  expect(await answeringInTime("v2")).toBe("v2");
  expect((await run("check")).stdout).not.toContain(key);
});

test("a document under another document's key, or under no document's, is reported and not taken over", async () => {
  const [other, none] = ["policies/HTTPRoute/default/orders", "policies/payments"];
  await put(allTo("v1"), other);
  await put(allTo("v1"), none);
  const { invalid, adopted, revision } = await sync();
  expect({ adopted, revision }).toEqual({ adopted: [], revision: 4 });
  expect(invalid.map((each) => each.key).sort()).toEqual([other, none]);
  expect(await answering()).toBe("v2");
  await (await kv()).delete(other);
  await (await kv()).delete(none);
  expect((await sync()).invalid).toEqual([]);
});

test("a key that was deleted by hand is written again: policy does not vanish", async () => {
  await (await kv()).delete(key);
  await sync();
  expect(await (await kv()).get(key)).toBe(allTo("v2"));
  expect(await answering()).toBe("v2");
});

test("wrangler's own local command puts a document into the KV of a mesh that runs", async () => {
  const file = join(directory.path, "route.yaml");
  writeFileSync(file, allTo("v1"));
  const words = ["kv", "key", "put", key, "--path", file];
  const ended = await wrangler([...words, "--binding", "POLICIES", "--local", "--persist-to", persist]);
  expect(ended).toMatchObject({ code: 0 });
  const { stdout } = await run("sync");
  expect(stdout).toContain("HTTPRoute/default/payments  changed");
  expect(stdout).toContain("Took up 1 document from KV; revision 5 is in force.");
  expect(await answeringInTime("v1")).toBe("v1");
});

test("a mesh that is stopped and started again goes on with what it had, keys and policy alike", async () => {
  const root = async (): Promise<unknown> => (await mesh.api("/.well-known/tulle/jwks.json")).json();
  const before = await root();
  await mesh.dispose();
  mesh = await start([]);
  expect((await newest())?.revision).toBe(5);
  expect(await root()).toEqual(before);
  expect(await answering()).toBe("v1");
});

function wrangler(
  words: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(root, "node_modules/wrangler/bin/wrangler.js"), ...words, "-c", "control/wrangler.toml"],
      {
        cwd: root,
        env: {
          PATH: process.env.PATH,
          HOME: directory.path,
          CI: "1",
          WRANGLER_SEND_METRICS: "false",
          WRANGLER_SEND_ERROR_REPORTS: "false",
          CLOUDFLARE_CF_FETCH_ENABLED: "false",
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}

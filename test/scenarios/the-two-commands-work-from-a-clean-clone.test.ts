import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { demoPorts, startDemo } from "../support/demo.ts";
import { root } from "../support/imports.ts";
import { alive } from "../support/processes.ts";

const run = promisify(execFile);

/** What is committed, and nothing that only lies about here. */
const clone = mkdtempSync(path.join(tmpdir(), "tulle-clone-"));
const minutes = (count: number): number => count * 60_000;

/** The environment of somebody who has just opened a terminal: nothing of this run and of this copy's tools. */
const env = Object.fromEntries(
  Object.entries({
    ...process.env,
    PATH: (process.env.PATH ?? "")
      .split(path.delimiter)
      .filter((folder) => !folder.startsWith(root))
      .join(path.delimiter),
  }).filter(
    ([name]) =>
      !/^(?:npm_(?:lifecycle|package|config_local_prefix)|INIT_CWD|VITEST|NODE_ENV|NODE_OPTIONS)/.test(name),
  ),
);

beforeAll(() => run("git", ["clone", "--quiet", "--local", root, clone], { env }), minutes(1));
afterAll(() => rmSync(clone, { recursive: true, force: true }), minutes(1));

test(
  "npm ci installs, and says so in one line",
  async () => {
    const { stdout, stderr } = await run("npm", ["ci", "--prefer-offline", "--no-audit"], {
      cwd: clone,
      env,
    });
    expect(stderr).toBe("");
    expect(stdout.trim()).toMatch(/^added [0-9]+ packages in [0-9a-z ]+$/);
  },
  minutes(3),
);

test("npm start brings the demo up, and Ctrl-C ends it", async () => {
  const ports = await demoPorts();
  const demo = await startDemo({ by: "npm", cwd: clone, env, ports, state: path.join(clone, ".tulle") });
  expect(demo.greeting).toContain("shipping  runs on Deno and has joined over HTTP");
  const order = await fetch(`${demo.shop}/api/orders`, { method: "POST" });
  expect(await order.json()).toMatchObject({
    payment: { amountCents: 2_900 },
    shipment: { weightGrams: 20 },
  });
  await demo.end("SIGINT", "group");
  expect(demo.children.filter(alive)).toEqual([]);
});

test("npm test runs: here one file of it, because this is one itself", async () => {
  const { stdout } = await run("npm", ["test", "--", "test/problems.test.ts"], { cwd: clone, env });
  expect(stdout).toMatch(/Test Files .*1 passed/);
});

test("what the two commands leave behind is all ignored by git", async () => {
  const { stdout } = await run("git", ["status", "--porcelain"], { cwd: clone, env });
  expect(stdout).toBe("");
});

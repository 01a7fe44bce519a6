import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "./support/imports.ts";

const run = promisify(execFile);
const readme = readFileSync(path.join(root, "README.md"), "utf8");

/** The first block of TypeScript under a heading of the README. */
function snippet(heading: string): string {
  const section = readme.slice(readme.indexOf(`\n## ${heading}\n`));
  const [, code] = /```ts\n([\s\S]*?)```/.exec(section) ?? [];
  if (code === undefined) throw new Error(`README.md has no block of TypeScript under "${heading}"`);
  return code;
}

/** A project of somebody else, with the runtime installed as the README says. */
const project = mkdtempSync(path.join(tmpdir(), "tulle-readme-"));
const put = (file: string, text: string): void => writeFileSync(path.join(project, file), text);

beforeAll(() => {
  for (const folder of ["test", "policies", "node_modules/@tulle"])
    mkdirSync(path.join(project, folder), { recursive: true });
  symlinkSync(path.join(root, "mesh-runtime"), path.join(project, "node_modules/@tulle/mesh-runtime"));
  put("package.json", '{ "type": "module" }');
  put("test/web.ts", snippet("Wrap your own worker"));
  put(
    "policies/everybody.yaml",
    `apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
`,
  );
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test("the README's wrapped worker runs in the README's mesh under test", async () => {
  const told = (...from: readonly string[]): string =>
    `{ const r = await mesh.from("${from[0]}").fetch("${from[1]}"); console.log(r.status, await r.text()); }\n`;
  const code = snippet("Test your own services");
  const broken = code.indexOf("await mesh.break");
  expect(broken).toBeGreaterThan(0);
  put(
    "snippet.js",
    [
      code.slice(0, broken),
      told("web", "http://payments/charge"),
      told("payments", "http://web/"),
      code.slice(broken),
      told("web", "http://payments/charge"),
    ].join(""),
  );
  const { stdout } = await run(process.execPath, ["snippet.js"], { cwd: project });
  const lines = stdout.trimEnd().split("\n");
  // The second line is what the worker logs of its caller, as the comment in it says.
  expect(lines).toEqual([
    "200 paid",
    "spiffe://mesh.local/ns/default/sa/payments",
    "200 paid",
    expect.stringMatching(/^503 /),
  ]);
});

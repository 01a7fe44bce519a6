import { describe, expect, test } from "vitest";
import { type Import, importsOf, importsOfFile, sourcesIn } from "./support/imports.ts";
import { goalOf, roomOf, rooms, violationOf } from "./support/rooms.ts";

const sources = sourcesIn(".");

describe("the house", () => {
  test("every import follows the dependency rule", () => {
    const broken = sources.flatMap((file) =>
      importsOfFile(file)
        .map((found) => violationOf(file, found) ?? "")
        .filter((sentence) => sentence !== ""),
    );
    expect(broken, broken.join("\n")).toEqual([]);
  });

  test("every source has a room", () => {
    expect(sources.filter((file) => roomOf(file) === undefined)).toEqual([]);
  });

  test("every room that another one may import exists in the table", () => {
    const names = new Set(rooms.map((room) => room.name));
    const named = rooms.flatMap((room) => [...room.rooms, ...(room.types ?? [])]);
    expect(named.filter((name) => name !== "*" && !names.has(name))).toEqual([]);
  });

  test("the rooms below the journeys form no circle", () => {
    const below = ["foundation", "identity", "routing", "resilience", "authorization", "telemetry", "policy"];
    const place = new Map(rooms.map((room, index) => [room.name, index]));
    for (const room of rooms.filter(({ name }) => below.includes(name))) {
      for (const other of [...room.rooms, ...(room.types ?? [])]) {
        expect(place.get(other), `${room.name} → ${other} points up`).toBeLessThan(place.get(room.name) ?? 0);
      }
    }
  });

  test("no files import each other in a circle", () => {
    expect(circlesIn(sources.filter((file) => !file.startsWith("test/")))).toEqual([]);
  });
});

describe("the guard", () => {
  const value = (specifier: string): Import => ({ specifier, typeOnly: false, line: 7 });
  const type = (specifier: string): Import => ({ specifier, typeOnly: true, line: 7 });

  // Each import is one that somebody could write in good faith; beside it a part of the rule it must be told.
  test.each([
    ["mesh-runtime/foundation/layer.ts", type("../routing/words.ts"), "foundation imports nothing"],
    ["mesh-runtime/foundation/ports.ts", value("jose"), "foundation imports nothing"],
    ["mesh-runtime/routing/words.ts", type("../identity/words.ts"), "and not each other"],
    ["mesh-runtime/routing/words.ts", type("../policy/snapshot.ts"), "and not each other"],
    ["mesh-runtime/resilience/words.ts", value("node:timers"), "and not each other"],
    ["mesh-runtime/authorization/words.ts", value("../identity/words.ts"), "identity's types"],
    ["mesh-runtime/telemetry/words.ts", value("jose"), "only @opentelemetry/api"],
    ["mesh-runtime/identity/words.ts", value("cloudflare:workers"), "only jose"],
    ["mesh-runtime/policy/snapshot.ts", type("../workload-contract.ts"), "policy imports 1 and 2"],
    ["mesh-runtime/policy/snapshot.ts", value("node:fs"), "only yaml, valibot"],
    ["mesh-runtime/mesh.ts", value("cloudflare:workers"), "they hold the order"],
    ["mesh-runtime/mesh.ts", value("hono"), "they hold the order"],
    ["mesh-runtime/adapters/cloudflare/index.ts", value("node:fs"), "import the front door and the ports"],
    [
      "mesh-runtime/adapters/web/transport.ts",
      value("node:async_hooks"),
      "import the front door and the ports",
    ],
    ["control/workload.ts", value("jose"), "control imports mesh-runtime"],
    ["control/workload.ts", value("node:crypto"), "control imports mesh-runtime"],
    [
      "control/workload.ts",
      value("../mesh-runtime/foundation/layer.ts"),
      '"@tulle/mesh-runtime/foundation/layer.ts"',
    ],
    ["cli/main.ts", value("hono"), "cli imports the admin contract and mesh-runtime"],
    [
      "examples/shop/workers/cart/index.ts",
      value("@tulle/mesh-runtime/foundation/layer.ts"),
      "a stranger could",
    ],
    ["examples/shop/workers/cart/index.ts", value("@tulle/control/api/contract.ts"), "a stranger could"],
  ] as const)("refuses in %s the import %j and quotes the rule", (file, found, rule) => {
    const sentence = violationOf(file, found);
    expect(sentence).toContain(`${file}:7 imports "${found.specifier}"`);
    expect(sentence).toContain(rule);
  });

  test.each([
    ["mesh-runtime/foundation/layer.ts", value("./result.ts")],
    ["mesh-runtime/authorization/words.ts", type("../identity/words.ts")],
    ["mesh-runtime/identity/words.ts", value("jose/jwt/verify")],
    ["mesh-runtime/telemetry/words.ts", value("@opentelemetry/api")],
    ["mesh-runtime/policy/snapshot.ts", value("../routing/words.ts")],
    ["mesh-runtime/adapters/cloudflare/index.ts", value("cloudflare:workers")],
    ["control/workload.ts", value("@tulle/mesh-runtime/foundation/layer.ts")],
    ["control/workload.ts", value("hono/secure-headers")],
    ["control/issuer/sign.ts", value("jose")],
    ["cli/main.ts", type("@tulle/control/api/contract.ts")],
    ["test/unit/foundation/layer.test.ts", value("../../../mesh-runtime/foundation/layer.ts")],
  ] as const)("allows in %s the import %j", (file, found) => {
    expect(violationOf(file, found)).toBeUndefined();
  });

  test("an import that leads nowhere is told apart from a forbidden one", () => {
    expect(violationOf("mesh-runtime/mesh.ts", value("./foundation/gone.ts"))).toContain("leads nowhere");
    expect(violationOf("control/index.ts", value("@tulle/gateway-worker/secret.ts"))).toContain(
      "does not export",
    );
  });

  test("a source in a folder that nobody declared is not let through", () => {
    expect(violationOf("sidecar/index.ts", value("jose"))).toContain("no room is declared");
    expect(violationOf("mesh-runtime/helpers/text.ts", value("jose"))).toContain("no room is declared");
  });
});

describe("reading imports", () => {
  const read = (text: string) =>
    importsOf(text, "sample.ts").map(({ specifier, typeOnly }) => [specifier, typeOnly]);

  test("finds every way to name a module, and knows which ones leave nothing behind", () => {
    const text = `
      import a from "a"; import type { B } from "b"; import { type C } from "c"; import "d";
      export * from "e"; export { f } from "f"; export type { G } from "g";
      const h = await import("h"); type I = import("i").I; const j = require("j");
    `;
    expect(read(text)).toEqual([
      ["a", false],
      ["b", true],
      ["c", false],
      ["d", false],
      ["e", false],
      ["f", false],
      ["g", true],
      ["h", false],
      ["i", true],
      ["j", false],
    ]);
  });

  test("is not misled by comments, strings, templates and expressions", () => {
    const text = `
      // import "a";
      /* import "b"; */
      const c = "import 'c'"; const d = \`import("\${c}")\`; const e = /import "e"/;
      export const own = c + d + e;
    `;
    expect(read(text)).toEqual([]);
  });

  test("refuses a target that is only known at run time, because no guard could judge it", () => {
    expect(() => read("const x = await import(name);")).toThrow(
      "sample.ts:1: the imported module must be written",
    );
  });

  test("tells the line", () => {
    expect(importsOf('\n\nimport "a";', "sample.ts")).toEqual([{ specifier: "a", typeOnly: false, line: 3 }]);
  });
});

/** Circles among value imports, each once, as `a → b → a`. */
function circlesIn(files: readonly string[]): string[] {
  const goals = new Map(
    files.map((file) => [
      file,
      importsOfFile(file)
        .filter((found) => !found.typeOnly)
        .map((found) => goalOf(file, found.specifier))
        .flatMap((goal) => (goal.kind === "file" ? [goal.file] : [])),
    ]),
  );
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file].join(" → "));
    if (start >= 0 || finished.has(file)) return;
    for (const next of goals.get(file) ?? []) visit(next, [...path, file]);
    finished.add(file);
  };
  for (const file of files) visit(file, []);
  return circles;
}

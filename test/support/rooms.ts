import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Import, root } from "./imports.ts";

/** A part of the house, and what it may know of the others. */
export interface Room {
  readonly name: string;
  /** A folder with all below ("a/"), its own files alone ("a/*"), or one file; the longest that fits decides. */
  readonly paths: readonly string[];
  /** Rooms that it may import, besides itself. */
  readonly rooms: readonly string[];
  /** Rooms whose types alone it may import. */
  readonly types?: readonly string[];
  /** Packages and runtime modules that it may import; a trailing "*" stands for any ending. */
  readonly thirdParties: readonly string[];
  /** The sentence of the rule that a wrong import breaks. */
  readonly rule: string;
}

const tools = ["miniflare", "wrangler", "esbuild", "workerd", "smol-toml"];
const knowledge = ["identity", "routing", "resilience", "authorization", "telemetry"];
const portable = ["foundation", ...knowledge, "policy", "workload contract", "journeys", "front door"];
const adapters = [
  "adapters/fetch",
  "adapters/cloudflare",
  "adapters/deno",
  "adapters/web",
  "adapters/memory",
] as const;
/** What an adapter may know: the front door, and the ports that it implements. */
const doorAndPorts = ["front door", "foundation"];
/** What a stranger could import. */
const publicFaces = ["front door", "adapters/cloudflare", "adapters/deno", "testing"];
const second =
  "2. identity, routing, resilience, authorization, telemetry import foundation, and not each other";
const fifth = "5. adapters/<runtime> import the front door and the ports; where they trace, telemetry";
const seventh = "7. examples import only what a stranger could; bench, conformance and test may import all";

/** The dependency rule as a table. Arrows point down this list, never up and never sideways. */
export const rooms: readonly Room[] = [
  {
    name: "foundation",
    paths: ["mesh-runtime/foundation/"],
    rooms: [],
    thirdParties: [],
    rule: "1. mesh-runtime/foundation imports nothing",
  },
  {
    name: "identity",
    paths: ["mesh-runtime/identity/"],
    rooms: ["foundation"],
    thirdParties: ["jose"],
    rule: second,
  },
  {
    name: "routing",
    paths: ["mesh-runtime/routing/"],
    rooms: ["foundation"],
    thirdParties: [],
    rule: second,
  },
  {
    name: "resilience",
    paths: ["mesh-runtime/resilience/"],
    rooms: ["foundation"],
    thirdParties: [],
    rule: second,
  },
  {
    name: "authorization",
    paths: ["mesh-runtime/authorization/"],
    rooms: ["foundation"],
    types: ["identity"],
    thirdParties: [],
    rule: `${second}; one exception: authorization reads identity's types`,
  },
  {
    name: "telemetry",
    paths: ["mesh-runtime/telemetry/"],
    rooms: ["foundation"],
    thirdParties: ["@opentelemetry/api"],
    rule: second,
  },
  {
    name: "policy",
    paths: ["mesh-runtime/policy/"],
    rooms: ["foundation", ...knowledge],
    thirdParties: ["yaml", "valibot", "re2js"],
    rule: "3. policy imports 1 and 2: it turns documents into what the rooms understand",
  },
  {
    name: "workload contract",
    paths: ["mesh-runtime/workload-contract.ts"],
    rooms: [],
    types: ["foundation", ...knowledge],
    thirdParties: [],
    rule: "3. the workload contract is words alone: it imports the types of 1 and 2",
  },
  {
    name: "journeys",
    paths: ["mesh-runtime/*"],
    rooms: ["foundation", ...knowledge, "policy", "workload contract"],
    thirdParties: [],
    rule: "4. inbound, outbound, mesh, index: the only files that know all rooms; they hold the order and nothing else",
  },
  {
    name: "front door",
    paths: ["mesh-runtime/index.ts"],
    rooms: ["foundation", ...knowledge, "policy", "workload contract", "journeys"],
    thirdParties: [],
    rule: "4. index.ts is the front door: everything that a workload may import",
  },
  {
    name: "adapters/memory",
    paths: ["mesh-runtime/adapters/memory/"],
    rooms: [...doorAndPorts, ...knowledge],
    thirdParties: [],
    rule: fifth,
  },
  {
    name: "adapters/fetch",
    paths: ["mesh-runtime/adapters/fetch/"],
    rooms: doorAndPorts,
    thirdParties: ["node:async_hooks"],
    rule: `${fifth}; fetch holds what runtimes with a global fetch share`,
  },
  {
    name: "adapters/web",
    paths: ["mesh-runtime/adapters/web/"],
    rooms: doorAndPorts,
    thirdParties: [],
    rule: fifth,
  },
  {
    name: "adapters/cloudflare",
    paths: ["mesh-runtime/adapters/cloudflare/"],
    rooms: [...doorAndPorts, "telemetry", "adapters/fetch", "adapters/web"],
    thirdParties: ["cloudflare:*", "node:async_hooks", "@opentelemetry/api", "mesh:app"],
    rule: fifth,
  },
  {
    name: "adapters/deno",
    paths: ["mesh-runtime/adapters/deno/"],
    rooms: [...doorAndPorts, "telemetry", "adapters/fetch", "adapters/web"],
    thirdParties: ["node:async_hooks", "@opentelemetry/api"],
    rule: fifth,
  },
  {
    name: "testing",
    paths: ["mesh-runtime/testing/"],
    rooms: [...portable, ...adapters, "admin contract"],
    thirdParties: ["node:*", "cloudflare:*", "yaml", ...tools],
    rule: "5. testing starts a whole mesh from outside: it may name a runtime, and nothing imports it but tests",
  },
  {
    name: "admin contract",
    paths: ["control/api/contract.ts", "control/api/identity-contract.ts"],
    rooms: [],
    types: [...portable],
    thirdParties: [],
    rule: "6. the admin API's contract is words alone: control and the CLI share it",
  },
  {
    name: "issuer",
    paths: ["control/issuer/"],
    rooms: [...portable, "adapters/cloudflare", "control", "admin contract"],
    thirdParties: ["hono", "cloudflare:*", "jose"],
    rule: "6. jose lives in identity and control/issuer",
  },
  {
    name: "control",
    paths: ["control/"],
    rooms: [...portable, "adapters/cloudflare", "issuer", "admin contract"],
    thirdParties: ["hono", "cloudflare:*", "yaml"],
    rule: "6. control imports mesh-runtime, adapters/cloudflare and its own rooms",
  },
  {
    name: "gateway-worker",
    paths: ["gateway-worker/"],
    rooms: ["front door", "adapters/cloudflare"],
    thirdParties: ["hono", "cloudflare:*"],
    rule: "6. gateway-worker imports the front door and adapters/cloudflare",
  },
  {
    name: "cli",
    paths: ["cli/"],
    rooms: [...portable, "testing", "admin contract"],
    thirdParties: ["node:*", "commander", "cli-table3", "yaml", ...tools],
    rule: "7. cli imports the admin contract and mesh-runtime",
  },
  {
    name: "examples",
    paths: ["examples/"],
    rooms: publicFaces,
    thirdParties: ["cloudflare:*", "node:*", "hono"],
    rule: seventh,
  },
  {
    name: "scripts",
    paths: ["scripts/"],
    rooms: ["testing"],
    thirdParties: ["node:*"],
    rule: "7. scripts drive wrangler and read its files; nothing imports them but tests",
  },
  { name: "bench", paths: ["bench/"], rooms: ["*"], thirdParties: ["*"], rule: seventh },
  { name: "conformance", paths: ["conformance/"], rooms: ["*"], thirdParties: ["*"], rule: seventh },
  { name: "test", paths: ["test/", "vitest.config.ts"], rooms: ["*"], thirdParties: ["*"], rule: seventh },
];

/** The room of a file, by its path relative to the root; undefined for a file that nobody has given a room. */
export function roomOf(file: string): Room | undefined {
  let best: { readonly room: Room; readonly length: number } | undefined;
  for (const room of rooms) {
    for (const pattern of room.paths) {
      if (covers(pattern, file) && pattern.length > (best?.length ?? 0))
        best = { room, length: pattern.length };
    }
  }
  return best?.room;
}

function covers(pattern: string, file: string): boolean {
  if (pattern.endsWith("/*")) return path.posix.dirname(file) === pattern.slice(0, -2);
  return pattern.endsWith("/") ? file.startsWith(pattern) : file === pattern;
}

/** Where an import leads: to a file of the repository, to somebody else's module, or to nothing. */
export type Goal =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "third-party"; readonly name: string }
  | { readonly kind: "nothing"; readonly why: string };

/** Follows an import from a file, through the `exports` of the workspace's packages where it names one. */
export function goalOf(file: string, specifier: string): Goal {
  if (specifier.startsWith(".")) return fileGoal(path.posix.join(path.posix.dirname(file), specifier));
  if (!specifier.startsWith("@tulle/")) return { kind: "third-party", name: specifier };
  const [, name = "", ...rest] = specifier.split("/");
  const entry = rest.length === 0 ? "." : `./${rest.join("/")}`;
  const exported = exportsOf(name);
  const target = exported[entry] ?? (entry.endsWith(".ts") && exported["./*.ts"] ? entry : undefined);
  if (target === undefined) {
    return { kind: "nothing", why: `package @tulle/${name} does not export ${entry}` };
  }
  return fileGoal(path.posix.join(name, target));
}

/**
 * Judges one import.
 * @returns undefined when it is allowed; otherwise the sentence for whoever wrote it
 */
export function violationOf(file: string, found: Import): string | undefined {
  const from = roomOf(file);
  const where = `${file}:${found.line} imports "${found.specifier}"`;
  if (from === undefined)
    return `${where}, but no room is declared for this file: add it to test/support/rooms.ts`;
  const goal = goalOf(file, found.specifier);
  if (goal.kind === "nothing") return `${where}, which leads nowhere: ${goal.why}`;
  if (goal.kind === "third-party") {
    return fits(from.thirdParties, goal.name)
      ? undefined
      : `${where}, but ${from.name} may name ${listed(from.thirdParties)}. The rule: "${from.rule}".`;
  }
  const to = roomOf(goal.file);
  if (to === undefined) return `${where}, a file without a room: add it to test/support/rooms.ts`;
  if (found.specifier.startsWith(".") && packageOf(file) !== packageOf(goal.file) && !fits(from.rooms, "*")) {
    return `${where}, which leaves its package: write "@tulle/${goal.file}" instead.`;
  }
  if (to === from || fits(from.rooms, to.name)) return undefined;
  if (from.types?.includes(to.name)) {
    return found.typeOnly
      ? undefined
      : `${where} for its values, but ${from.name} may import the types of ${to.name} alone. The rule: "${from.rule}".`;
  }
  const allowed = listed([...from.rooms, ...(from.types ?? []).map((name) => `types of ${name}`)]);
  return `${where}, a file of ${to.name}, but ${from.name} may import ${allowed}. The rule: "${from.rule}".`;
}

/** The rooms' own front yard: a package, an example, or a top-level folder; relative imports stay inside. */
function packageOf(file: string): string {
  const [top = "", second = ""] = file.split("/");
  return top === "examples" ? `${top}/${second}` : top;
}

const listed = (names: readonly string[]): string =>
  names.length === 0 ? "nothing else" : names.length === 1 ? `only ${names[0]}` : `only ${names.join(", ")}`;

const fits = (patterns: readonly string[], name: string): boolean =>
  patterns.some(
    (pattern) =>
      pattern === name ||
      (pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1))) ||
      (!pattern.includes(":") && name.startsWith(`${pattern}/`)),
  );

function fileGoal(file: string): Goal {
  return existsSync(path.join(root, file))
    ? { kind: "file", file }
    : { kind: "nothing", why: `there is no ${file}` };
}

function exportsOf(name: string): Readonly<Record<string, string>> {
  const manifest = path.join(root, name, "package.json");
  if (!existsSync(manifest)) return {};
  const read = JSON.parse(readFileSync(manifest, "utf8")) as { readonly exports?: Record<string, string> };
  return read.exports ?? {};
}

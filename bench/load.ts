/**
 * How long an isolate takes to load a snapshot with ten thousand rules on one destination, step by step.
 * workerd's clock stands still while code runs, so times are taken from outside, over several loads in one
 * request, less what the same request takes without any. `tables again` is the same step once more: how far
 * it is from the first is how far no difference can be trusted. `and look-up` is the tables once more and a
 * look-up in each of them: what is more than the tables is what the first request waits for.
 *
 *     node bench/load.ts [--rounds 20] [--rules 10000]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runInWorkerd } from "@tulle/mesh-runtime/testing";
import { canonicalJson, digestOf } from "../mesh-runtime/policy/canonical.ts";
import { compile } from "../mesh-runtime/policy/compile.ts";
import { readDocuments } from "../mesh-runtime/policy/schema.ts";
import { quantile, shuffled, textWorker } from "./support.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, rules: { type: "string", default: "10000" } },
});
const rules = Number(values.rules);
/** In one request, so that the way there and back weighs little. */
const loads = 4;
/** Rounds before the ones that count: until the compiler has settled. */
const warmUp = 5;

const steps = ["nothing", "JSON", "shape", "tables", "tables again", "and look-up", "load"] as const;
type Step = (typeof steps)[number];

/** What is matched by the nth rule of a family. */
const families: Readonly<Record<string, (n: number) => unknown>> = {
  prefixes: (n) => ({ path: { value: pathOf(n) } }),
  "one path, told apart by a header": (n) => ({ headers: [{ name: "x-tenant", value: `tenant-${n}` }] }),
  "regular expressions": (n) => ({ path: { type: "RegularExpression", value: `${pathOf(n)}/items/[0-9]+` } }),
  "regular expressions that begin with none": (n) => ({
    path: { type: "RegularExpression", value: `/[a-z]+/resource-${n}/.*` },
  }),
};

const pathOf = (n: number): string => `/team-${n % 37}/service-${n % 101}/resource-${n}`;

const moduleAt = (file: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../mesh-runtime/policy/${file}`, import.meta.url)));

const worker = `
  import { load } from ${moduleAt("load.ts")};
  import { destinationTable } from ${moduleAt("port-table.ts")};
  import { readSnapshot } from ${moduleAt("snapshot-shape.ts")};
  let text, value, digest;
  const message = {
    url: new URL("http://payments/items/resource-77/items/5"),
    method: "GET",
    headers: new Headers({ "x-tenant": "tenant-77" }),
  };
  const tables = () => Object.values(value.destinations).map(destinationTable);
  const doing = {
    nothing: () => "nothing",
    JSON: () => JSON.parse(text),
    shape: () => readSnapshot(value),
    tables,
    "tables again": tables,
    "and look-up": () => tables().map((table) => table?.find(message)),
    load: async () => {
      const loaded = await load(text, { epoch: 1, digest }, "default/web");
      if (!loaded.ok) throw new Error(loaded.reason);
      return loaded;
    },
  };
  export default { async fetch(request) {
    const asked = new URL(request.url).searchParams;
    if (request.method === "POST") {
      [text, digest] = [await request.text(), asked.get("digest")];
      value = JSON.parse(text);
    }
    let kept;
    for (let time = 0; time < ${loads}; time++) kept = await doing[asked.get("step")]();
    return new Response(kept === undefined ? "" : "done");
  } };`;

/** What `web` would have to know if that many rules were attached to `payments`. */
function snapshotOf(match: (n: number) => unknown): string {
  const kind = (name: string, apiVersion: string, kindOf: string, spec: unknown) =>
    JSON.stringify({ apiVersion, kind: kindOf, metadata: { name }, spec });
  const perRoute = 16;
  const routes = Array.from({ length: Math.ceil(rules / perRoute) }, (_, route) =>
    kind(`route-${route}`, "gateway.networking.k8s.io/v1", "HTTPRoute", {
      parentRefs: [{ group: "", kind: "Service", name: "payments" }],
      rules: Array.from({ length: Math.min(perRoute, rules - route * perRoute) }, (_, rule) => ({
        matches: [match(route * perRoute + rule)],
        backendRefs: [{ name: "payments", port: 80 }],
      })),
    }),
  );
  const services = ["web", "payments"].map((name) => kind(name, "mesh.tulle.dev/v1", "Service", {}));
  const begun = performance.now();
  const { written, issues } = readDocuments(
    [...services, ...routes].map((text, index) => ({ source: `${index}.json`, text })),
  );
  const read = performance.now();
  if (issues.length > 0) throw new Error(JSON.stringify(issues.slice(0, 3)));
  const snapshot = compile(written.map(({ document }) => document)).get("default/web");
  if (snapshot === undefined) throw new Error("there is no snapshot");
  const text = canonicalJson(snapshot);
  const compiled = performance.now();
  console.log(
    `${(text.length / 1_024).toFixed(0)} KB; read in ${(read - begun).toFixed(0)} ms and compiled in ${(compiled - read).toFixed(0)} ms (in Node, the first time)`,
  );
  return text;
}

const runtime = await runInWorkerd([textWorker("load", worker)], { onLog: () => undefined });
try {
  for (const [name, match] of Object.entries(families)) {
    console.log(`\n${rules} rules, ${name}`);
    await measure(snapshotOf(match));
  }
} finally {
  await runtime.dispose();
}

async function measure(text: string): Promise<void> {
  const ask = async (step: Step, init?: { readonly method: string; readonly body: string }, digest = "") => {
    const at = `http://load/?step=${encodeURIComponent(step)}&digest=${digest}`;
    const answer = await runtime.dispatchFetch(at, init);
    if ((await answer.text()) !== "done") throw new Error(`${step} was not done: ${answer.status}`);
  };
  await ask("nothing", { method: "POST", body: text }, await digestOf(text));
  const times = new Map<Step, number[]>(steps.map((step) => [step, []]));
  for (let round = -warmUp; round < Number(values.rounds); round++)
    for (const step of shuffled(steps)) {
      const begun = performance.now();
      await ask(step);
      if (round >= 0) times.get(step)?.push(performance.now() - begun);
    }
  const base = quantile(times.get("nothing") ?? [], 0.5);
  console.log(`${"".padEnd(16)}${["p10", "median", "p90"].map((head) => head.padStart(8)).join("")}   ms`);
  for (const step of steps.filter((each) => each !== "nothing")) {
    const cells = [0.1, 0.5, 0.9].map((share) => (quantile(times.get(step) ?? [], share) - base) / loads);
    console.log(`${step.padEnd(16)}${cells.map((cell) => cell.toFixed(1).padStart(8)).join("")}`);
  }
}

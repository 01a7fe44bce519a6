import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readWranglerConfig } from "../../mesh-runtime/testing/wrangler-config.ts";
import { inDeployOrder } from "../../scripts/deploy-order.ts";
import { CloudflareStandIn } from "../support/cloudflare-stand-in.ts";
import { root } from "../support/imports.ts";

const shop = ["cart", "catalog", "payments-v1", "payments-v2", "storefront"];
const workerFile = (name: string): string => path.join(root, `examples/shop/workers/${name}/wrangler.toml`);
const gatewayFile = path.join(root, "wrangler.toml");
const controlFile = path.join(root, "control/wrangler.toml");

interface Ran {
  readonly code: number | null;
  readonly printed: string;
}

/** Runs the script behind `npm run build` and `npm run deploy`. */
async function deploy(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(process.execPath, [path.join(root, "scripts/deploy.ts"), ...words], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (printed += String(text)));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, printed };
}

describe("the order of deploys", () => {
  const bound = (name: string, ...to: readonly string[]) => ({
    name,
    services: Object.fromEntries(to.map((callee) => [callee.toUpperCase(), { name: callee }])),
  });
  const namesOf = (workers: readonly { readonly name: string }[]) => workers.map(({ name }) => name);

  test("of this repository's workers: control, callees, callers, the gateway", () => {
    const files = [gatewayFile, ...shop.map(workerFile), controlFile];
    expect(namesOf(inDeployOrder(files.map(readWranglerConfig)))).toEqual([
      "tulle-control",
      "catalog",
      "payments-v1",
      "payments-v2",
      "cart",
      "storefront",
      "gateway",
    ]);
  });

  test("does not wait for workers that are not deployed now, nor for oneself", () => {
    expect(namesOf(inDeployOrder([bound("b", "a", "b"), bound("c", "b")]))).toEqual(["b", "c"]);
  });

  test("of workers that are bound to each other does not exist, and they are named", () => {
    expect(() => inDeployOrder([bound("a", "b"), bound("b", "c"), bound("c", "b")])).toThrow(
      "a, b, c are bound to each other in a circle",
    );
  });
});

test("every file, script and verb that docs/deploy.md names exists", () => {
  const page = readFileSync(path.join(root, "docs/deploy.md"), "utf8");
  const named = (pattern: RegExp): string[] => [
    ...new Set([...page.matchAll(pattern)].map(([, name = ""]) => name)),
  ];
  const files = named(/(?<![\w/@.-])((?:control|examples|docs)\/[\w./-]*\w)/g);
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    scripts: object;
  };
  expect(named(/npm run (\w+)/g).filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
  const verbs = readdirSync(path.join(root, "cli/commands")).map((file) => path.basename(file, ".ts"));
  expect(named(/npx tulle (\w+)/g).filter((verb) => !verbs.includes(verb))).toEqual([]);
  const links = named(/\]\(([\w-]+\.md)/g);
  expect(links.filter((link) => !existsSync(path.join(root, "docs", link)))).toEqual([]);
});

// Nothing here waits: it is the work of seven builds, which takes a slow machine minutes.
test("`npm run build` builds every worker with wrangler", { timeout: 300_000 }, async () => {
  const { code, printed } = await deploy(["--dry-run"]);
  expect(
    printed
      .split("\n")
      .flatMap((line) => /^built +(\S+)/.exec(line)?.[1] ?? [])
      .sort(),
  ).toEqual(["tulle-control", "gateway", ...shop].sort());
  expect(code).toBe(0);
  for (const name of ["storefront", "gateway"]) {
    const bundle = readFileSync(path.join(root, "dist", name, "index.js"), "utf8");
    expect(bundle).toMatch(/export \{[^}]*default/);
  }
});

describe("`npm run deploy`, with a stand-in for Cloudflare", () => {
  let folder: string;
  let control: string;
  let cloudflare: CloudflareStandIn;

  beforeAll(async () => {
    cloudflare = await CloudflareStandIn.start();
    folder = mkdtempSync(path.join(tmpdir(), "tulle-deploy-"));
    // As the operator leaves it after step 2 of docs/deploy.md.
    control = path.join(folder, "wrangler.toml");
    const written = readFileSync(controlFile, "utf8");
    writeFileSync(
      control,
      written
        .replace('main = "index.ts"', `main = ${JSON.stringify(path.join(root, "control/index.ts"))}`)
        .replace('id = "tulle-policies"', 'id = "0123456789abcdef0123456789abcdef"'),
    );
  });
  afterAll(async () => {
    await cloudflare[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test("asks for the KV namespace's id before it sends anything", async () => {
    const { code, printed } = await deploy([], cloudflare.env);
    expect(code).toBe(1);
    expect(printed).toContain("control/wrangler.toml: POLICIES has the id tulle-policies");
    expect(printed).toContain("npx wrangler kv namespace create POLICIES");
    expect(cloudflare.asked).toBe(0);
  });

  test("deploys control before a worker that is bound to it, whatever order they are named in", async () => {
    const { code, printed } = await deploy([workerFile("catalog"), control], cloudflare.env);
    expect(printed).not.toContain(cloudflare.env.CLOUDFLARE_API_TOKEN);
    expect(printed).toContain("https://tulle-control.stand-in.workers.dev");
    expect(code).toBe(0);
    expect(cloudflare.uploads.map(({ name }) => name)).toEqual(["tulle-control", "catalog"]);
  });

  test("control arrives with its objects, its namespace, its schedule, and no secret", () => {
    const { metadata } = cloudflare.uploads[0] ?? {};
    expect(metadata?.bindings).toEqual(
      expect.arrayContaining([
        { name: "POLICIES", type: "kv_namespace", namespace_id: "0123456789abcdef0123456789abcdef" },
        { name: "ISSUER", type: "durable_object_namespace", class_name: "IssuerObject" },
      ]),
    );
    expect(metadata?.bindings.map(({ name }) => name)).not.toContain("TULLE_KEY_SECRET");
    // Both for a control that is new; one that is there already has the first.
    expect(metadata?.migrations).toMatchObject({
      new_tag: "v2",
      steps: [{ new_sqlite_classes: expect.any(Array) }, { new_sqlite_classes: ["ReplayObject"] }],
    });
    expect(cloudflare.schedules.get("tulle-control")).toEqual([{ cron: "*/1 * * * *" }]);
  });

  test("a worker arrives with the mesh in front of it, and with the props that say who it is", () => {
    const { metadata, modules } = cloudflare.uploads[1] ?? {};
    expect(metadata?.bindings).toEqual([
      expect.objectContaining({
        name: "MESH",
        type: "service",
        service: "tulle-control",
        entrypoint: "Workload",
        props: { service: "catalog", namespace: "default" },
      }),
    ]);
    const [code = ""] = [...(modules?.values() ?? [])];
    expect(code).toContain("Fine hexagonal net");
    expect(code).toContain("workload-identity-token");
  });

  test("stops at the first that fails, with all that was said", async () => {
    cloudflare.has("tulle-control", "catalog", "payments-v2");
    cloudflare.refused.set("payments-v1", "This account has had enough");
    cloudflare.uploads.length = 0;
    const files = ["storefront", "cart", "payments-v1"].map(workerFile);
    const { code, printed } = await deploy(files, cloudflare.env);
    expect(code).toBe(1);
    expect(printed).toContain("payments-v1 could not be deployed");
    expect(printed).toContain("This account has had enough");
    expect(cloudflare.uploads).toEqual([]);
  });
});

/**
 * The demo: a whole mesh of real workers in one workerd, from the same wrangler.toml files that deploy.
 *
 *     npm start -- --help
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readWranglerConfig, runInWorkerd, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import { controlClient } from "./demo/control-client.ts";
import { type Options, readOptions, usage } from "./demo/options.ts";
import { assertFree } from "./demo/ports.ts";
import { startShipping } from "./demo/shipping.ts";
import { openState } from "./demo/state.ts";
import { startTraffic } from "./demo/traffic.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const shopWorkers = ["storefront", "catalog", "cart", "payments-v1", "payments-v2"];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(usage);
  await assertFree([
    { port: options.port, option: "--port" },
    { port: options.controlPort, option: "--control-port" },
    { port: options.shippingPort, option: "--shipping-port" },
    { port: options.catalogPort, option: "--catalog-port" },
  ]);
  const stops: (() => unknown)[] = [];
  stopOnSignals(stops);
  await run(options, stops);
}

async function run(options: Options, stops: (() => unknown)[]): Promise<void> {
  const state = openState(root, options.fresh);
  const gatewayUrl = `http://127.0.0.1:${options.port}`;
  const controlUrl = `http://127.0.0.1:${options.controlPort}`;
  const secrets = { TULLE_OPERATOR_TOKEN: state.token, TULLE_KEY_SECRET: state.keySecret };
  const workers: readonly WorkerToRun[] = [
    { config: readWranglerConfig(path.join(root, "wrangler.toml")) },
    {
      config: readWranglerConfig(path.join(root, "control/wrangler.toml")),
      vars: secrets,
      port: options.controlPort,
    },
    ...shopWorkers.map((name) => ({
      config: readWranglerConfig(path.join(root, `examples/shop/workers/${name}/wrangler.toml`)),
      ...(name === "catalog" ? { port: options.catalogPort } : {}),
    })),
  ];
  const runtime = await runInWorkerd(workers, { port: options.port, persist: state.persist });
  stops.push(() => runtime.dispose());
  const control = controlClient(controlUrl, state.token);
  if ((await control.revision()) === 0) await control.applyFolder(path.join(root, "examples/shop/policies"));
  const shipping = startShipping({
    root,
    controlUrl,
    joinToken: await control.joinToken("shipping"),
    port: options.shippingPort,
    onLine: (line) => console.log(`[shipping on Deno] ${line}`),
  });
  stops.unshift(() => shipping?.kill("SIGTERM"));
  console.log(greeting(gatewayUrl, controlUrl, shipping !== undefined));
  if (options.traffic > 0) stops.unshift(startTraffic(gatewayUrl, options.traffic, tell));
}

/** Ends everything on the signals that end a process, so that no workerd outlives its parent. */
function stopOnSignals(stops: readonly (() => unknown)[]): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      Promise.allSettled(stops.map(async (stop) => stop())).then(() => process.exit(0));
    });
  }
}

const tell = (answers: ReadonlyMap<number, number>): void => {
  const counts = [...answers]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} × ${status || "no answer"}`);
  console.log(`traffic, last 10 s: ${counts.join(", ")}`);
};

const greeting = (gateway: string, control: string, deno: boolean): string => `
The mesh is up.

  shop      ${gateway}
  control   ${control}
  shipping  ${deno ? "runs on Deno and has joined over HTTP" : "is not there: Deno is not installed"}

Three things to try, each in another terminal:

  npx tulle status
  curl -X PUT '${gateway}/demo/payments-v2/switch?fail=1' && npx tulle stat payments
  npx tulle apply -f examples/shop/policies-variants/payments-50-50.yaml

Ctrl-C stops everything. State is kept in .tulle/; npm start -- --fresh forgets it.
`;

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

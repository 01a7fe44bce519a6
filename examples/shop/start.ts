/**
 * The demo: a whole mesh of real workers in one workerd, from the same wrangler.toml files that deploy.
 *
 *     npm start -- --help
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readWranglerConfig, runInWorkerd, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import { controlClient } from "./demo/control-client.ts";
import { greeting } from "./demo/greeting.ts";
import { type Options, readOptions, usage } from "./demo/options.ts";
import { endChildrenWithUs, whenNpmIsGone } from "./demo/orphans.ts";
import { assertFree } from "./demo/ports.ts";
import { startShipping } from "./demo/shipping.ts";
import { openState } from "./demo/state.ts";
import { startTraffic, tellEveryMs } from "./demo/traffic.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const shopWorkers = ["storefront", "catalog", "cart", "payments-v1", "payments-v2"];

type Stops = (() => unknown)[];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(usage);
  await assertFree([
    { port: options.port, option: "--port" },
    { port: options.controlPort, option: "--control-port" },
    { port: options.shippingPort, option: "--shipping-port" },
    { port: options.catalogPort, option: "--catalog-port" },
  ]);
  const stops: Stops = [];
  try {
    await run(options, stops);
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

async function run(options: Options, stops: Stops): Promise<void> {
  const state = openState(path.resolve(root, options.state), options.fresh);
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
  stopWhenAsked(stops);
  const control = controlClient(controlUrl, state.token);
  if ((await control.revision()) === 0) await control.applyFolder(path.join(root, "examples/shop/policies"));
  await control.move({ shipping: options.shippingPort, catalog: options.catalogPort });
  const shipping = startShipping({
    root,
    controlUrl,
    joinToken: await control.joinToken("shipping"),
    port: options.shippingPort,
    onLine: (line) => console.log(`[shipping on Deno] ${line}`),
  });
  stops.unshift(() => shipping?.stop());
  endChildrenWithUs();
  const listening = (await shipping?.listening) ?? false;
  console.log(greeting(options, { gatewayUrl, controlUrl, tokenFile: state.tokenFile, shipping: listening }));
  if (options.traffic > 0) stops.unshift(startTraffic(gatewayUrl, options.traffic, tell));
}

/** Ends everything on the signals that end a process, and when npm is gone, so that no workerd outlives its parent. */
function stopWhenAsked(stops: Stops): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    stopAll(stops).then(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Miniflare's own listener ends this process at once, and Deno would live on.
    process.removeAllListeners(signal);
    process.on(signal, stop);
  }
  whenNpmIsGone(stop);
}

const stopAll = (stops: Stops): Promise<unknown> => Promise.allSettled(stops.map(async (stop) => stop()));

const tell = (answers: ReadonlyMap<number, number>): void => {
  const counts = [...answers]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} × ${status || "no answer"}`);
  console.log(`traffic, last ${tellEveryMs / 1_000} s: ${counts.join(", ")}`);
};

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

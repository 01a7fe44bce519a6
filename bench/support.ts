import { createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import type { WorkerToRun } from "@tulle/mesh-runtime/testing";

/** The value below which `share` of all lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The same things in random order, so that no variant always comes after the same other. */
export function shuffled<Thing>(things: readonly Thing[]): Thing[] {
  const mixed = [...things];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    const held = mixed[last] as Thing;
    mixed[last] = mixed[other] as Thing;
    mixed[other] = held;
  }
  return mixed;
}

/** So many different ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listening));
  const ports = servers.map((server) => {
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("A server that listens has no port");
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listening(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** A worker whose whole source is this text, minified as a deployed one would be. */
export function textWorker(name: string, text: string): WorkerToRun {
  return {
    config: {
      name,
      main: fileURLToPath(import.meta.url),
      compatibilityDate: "2026-10-01",
      compatibilityFlags: [],
      alias: {},
      vars: {},
      kv: {},
      durableObjects: {},
      services: {},
    },
    wrap: () => text,
    minify: true,
  };
}

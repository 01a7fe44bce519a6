import { parseArgs } from "node:util";

export interface Options {
  readonly port: number;
  readonly controlPort: number;
  readonly shippingPort: number;
  readonly catalogPort: number;
  /** Requests a second from outside; 0: none. */
  readonly traffic: number;
  readonly fresh: boolean;
  readonly help: boolean;
}

export const usage = `npm start -- [options]

  --port N           port of the gateway (8787)
  --control-port N   port of control (8788)
  --shipping-port N  port of the shipping service, which runs on Deno (8790)
  --catalog-port N   port at which Deno reaches the catalog (8791)
  --traffic N        send N requests a second from outside
  --fresh            forget everything in .tulle/ first`;

/** Reads the command line. @throws Error with a sentence for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "8787" },
      "control-port": { type: "string", default: "8788" },
      "shipping-port": { type: "string", default: "8790" },
      "catalog-port": { type: "string", default: "8791" },
      traffic: { type: "string", default: "0" },
      fresh: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    port: whole("--port", values.port, 1, 65_535),
    controlPort: whole("--control-port", values["control-port"], 1, 65_535),
    shippingPort: whole("--shipping-port", values["shipping-port"], 1, 65_535),
    catalogPort: whole("--catalog-port", values["catalog-port"], 1, 65_535),
    traffic: whole("--traffic", values.traffic, 0, 1_000),
    fresh: values.fresh,
    help: values.help,
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, found ${text}`);
}

import { parseArgs } from "node:util";

export interface Options {
  readonly port: number;
  readonly controlPort: number;
  readonly shippingPort: number;
  readonly catalogPort: number;
  /** Requests a second from outside; 0: none. */
  readonly traffic: number;
  /** Folder that keeps state and secrets between runs. */
  readonly state: string;
  readonly fresh: boolean;
  readonly help: boolean;
}

/** Where everything is when nothing else is asked for. The policies of the shop name these ports. */
export const defaults = {
  port: 8787,
  controlPort: 8788,
  shippingPort: 8790,
  catalogPort: 8791,
  state: ".tulle",
} as const;

export const usage = `npm start -- [options]

  --port N           port of the gateway (${defaults.port})
  --control-port N   port of control (${defaults.controlPort})
  --shipping-port N  port of the shipping service, which runs on Deno (${defaults.shippingPort})
  --catalog-port N   port at which Deno reaches the catalog (${defaults.catalogPort})
  --traffic N        send N requests a second from outside
  --state DIR        folder that keeps state and secrets between runs (${defaults.state})
  --fresh            forget what is kept there first`;

/** Reads the command line. @throws Error with a sentence for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: String(defaults.port) },
      "control-port": { type: "string", default: String(defaults.controlPort) },
      "shipping-port": { type: "string", default: String(defaults.shippingPort) },
      "catalog-port": { type: "string", default: String(defaults.catalogPort) },
      traffic: { type: "string", default: "0" },
      state: { type: "string", default: defaults.state },
      fresh: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const options = {
    port: whole("--port", values.port, 1, 65_535),
    controlPort: whole("--control-port", values["control-port"], 1, 65_535),
    shippingPort: whole("--shipping-port", values["shipping-port"], 1, 65_535),
    catalogPort: whole("--catalog-port", values["catalog-port"], 1, 65_535),
    traffic: whole("--traffic", values.traffic, 0, 1_000),
    state: values.state,
    fresh: values.fresh,
    help: values.help,
  };
  const ports = [options.port, options.controlPort, options.shippingPort, options.catalogPort];
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  if (twice !== undefined) throw new Error(`The four ports must differ, found ${twice} twice`);
  return options;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, found ${text}`);
}

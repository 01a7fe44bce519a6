import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { freePorts } from "../../bench/support.ts";
import { root } from "./imports.ts";
import { below } from "./processes.ts";

/** The demo (`npm start`) as a process of its own, on ports of its own and with state of its own. */
export interface Demo {
  readonly shop: string;
  readonly control: string;
  /** The command line that a newcomer would use, for this demo. */
  readonly tulle: readonly string[];
  /** Between its start and its greeting, milliseconds. */
  readonly readyAfterMs: number;
  readonly greeting: string;
  /** Pids of everything that it has started, taken when it was ready; without shells, which end when all of it has. */
  readonly children: readonly number[];
  /** The first line that it prints from now on that fits. */
  line(pattern: RegExp): Promise<string>;
  /** Sends a signal to the process that was started, or to its whole group as a terminal does; returns its exit code (or the signal that ended it) once it and whatever it left behind have closed their output. */
  end(signal: NodeJS.Signals, to?: "group"): Promise<number | NodeJS.Signals | null>;
}

export interface Ports {
  readonly port: number;
  readonly control: number;
  readonly shipping: number;
  readonly catalog: number;
}

export async function demoPorts(): Promise<Ports> {
  const [port = 0, control = 0, shipping = 0, catalog = 0] = await freePorts(4);
  return { port, control, shipping, catalog };
}

const optionsOf = ({ port, control, shipping, catalog }: Ports): readonly string[] =>
  ["--port", port, "--control-port", control, "--shipping-port", shipping, "--catalog-port", catalog].map(
    String,
  );

/** How it is started: as `npm start` does, or by npm itself. */
const commands = {
  node: [process.execPath, path.join(root, "examples/shop/start.ts")],
  npm: ["npm", "start", "--"],
} as const;

export interface DemoOptions {
  readonly state: string;
  readonly ports: Ports;
  readonly more?: readonly string[];
  readonly by?: keyof typeof commands;
  /** Another copy of the repository. @default this one */
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

function spawned({ by = "node", state, ports, more = [], cwd = root, env }: DemoOptions): ChildProcess {
  const [command, ...first] = commands[by];
  return spawn(command, [...first, ...optionsOf(ports), "--state", state, ...more], {
    cwd,
    ...(env === undefined ? {} : { env }),
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, as a shell gives to what it starts.
    detached: true,
  });
}

/** Starts the demo and waits for its greeting. @throws Error with what it printed, if it ends before */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const begun = performance.now();
  const child = spawned(options);
  const printed: string[] = [];
  const waiting = new Set<(line: string) => void>();
  for (const input of [child.stdout, child.stderr]) {
    if (input === null) continue;
    createInterface({ input }).on("line", (line) => {
      printed.push(line);
      for (const hear of waiting) hear(line);
    });
  }
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const line = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const hear = (text: string): void => {
        if (!pattern.test(text)) return;
        waiting.delete(hear);
        resolve(text);
      };
      waiting.add(hear);
      closed.then(() =>
        reject(new Error(`The demo ended without a line like ${pattern}:\n${printed.join("\n")}`)),
      );
    });
  await line(/^Ctrl-C stops everything/);
  const { ports, state } = options;
  const control = `http://127.0.0.1:${ports.control}`;
  return {
    shop: `http://127.0.0.1:${ports.port}`,
    control,
    tulle: ["npx", "tulle", "--url", control, "--token-file", path.join(state, "token")],
    readyAfterMs: performance.now() - begun,
    greeting: printed.join("\n"),
    children: below(child.pid ?? 0)
      .filter(({ name }) => name !== "sh")
      .map(({ pid }) => pid),
    line,
    async end(signal, to) {
      if (to === "group" && child.pid !== undefined) process.kill(-child.pid, signal);
      else child.kill(signal);
      const [code, by] = await closed;
      return code ?? by;
    },
  };
}

/** Starts a demo that is expected to refuse; what it printed, and its exit code. */
export async function refusedDemo(
  options: DemoOptions,
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawned(options);
  let printed = "";
  for (const input of [child.stdout, child.stderr]) input?.on("data", (text) => (printed += String(text)));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, printed };
}

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/*
 * `npm run check`: everything that can be judged without running the mesh. Types under each of the three
 * libraries, formatting and lint, and the dependency rule; one line each, and the exit code tells.
 */

interface Check {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
}

interface Verdict {
  readonly check: Check;
  readonly passed: boolean;
  readonly seconds: string;
  readonly output: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Above this a check has hung, milliseconds. */
const patienceMs = 60_000;

const types = (library: string): Check => ({
  name: `types, ${library}`,
  command: "tsc",
  arguments: ["-p", `tsconfig.${library}.json`, "--pretty", "false"],
});

/** Two lanes, because two cores do: the heavy check alone beside the light ones. */
const lanes: readonly (readonly Check[])[] = [
  [
    {
      name: "dependency rule",
      command: "vitest",
      arguments: ["run", "--project", "node", "test/architecture.test.ts"],
    },
  ],
  [
    types("portable"),
    types("cloudflare"),
    types("node"),
    { name: "format and lint", command: "biome", arguments: ["check", "--colors=off"] },
  ],
];

function run(check: Check): Promise<Verdict> {
  const started = performance.now();
  const executable = path.join(root, "node_modules/.bin", check.command);
  return new Promise((resolve) => {
    const finish = (passed: boolean, output: string): void =>
      resolve({ check, passed, output, seconds: ((performance.now() - started) / 1_000).toFixed(1) });
    if (!existsSync(executable)) {
      finish(false, `${check.command} is not installed: run npm ci`);
      return;
    }
    const child = spawn(executable, check.arguments, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
      timeout: patienceMs,
    });
    let output = "";
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => finish(false, error.message));
    child.on("close", (code, signal) =>
      finish(code === 0, signal ? `${output}\nended by ${signal} after ${patienceMs} ms` : output),
    );
  });
}

function tell({ check, passed, seconds, output }: Verdict): void {
  console.log(`${passed ? "ok    " : "FAILED"}  ${check.name.padEnd(18)} ${seconds.padStart(5)} s`);
  if (!passed) console.log(output.trimEnd().replace(/^/gm, "        "));
}

const started = performance.now();
const verdicts = await Promise.all(
  lanes.map(async (lane) => {
    const told: Verdict[] = [];
    for (const check of lane) {
      const verdict = await run(check);
      tell(verdict);
      told.push(verdict);
    }
    return told;
  }),
);
const failed = verdicts.flat().filter(({ passed }) => !passed);
const total = ((performance.now() - started) / 1_000).toFixed(1);
console.log(failed.length === 0 ? `All well in ${total} s.` : `${failed.length} failed, ${total} s.`);
process.exitCode = failed.length === 0 ? 0 : 1;

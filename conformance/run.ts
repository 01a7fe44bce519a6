/**
 * Runs a file of Gateway API conformance cases against real workers:
 *
 *     npm run conformance -- FILE [--only NAME]... [-o json] [--log]
 *
 * One line a case; the exit code is 1 if one fails, 2 if the file cannot be read.
 */
import { parseArgs } from "node:util";
import type { Outcome } from "./case.ts";
import { readSuite, type Suite, UnreadableSuite } from "./format.ts";
import { runSuite } from "./suite.ts";

const usage = "Usage: npm run conformance -- FILE [--only NAME]... [-o json] [--log]";

interface Asked {
  readonly file: string;
  readonly only: readonly string[];
  readonly json: boolean;
  readonly log: boolean;
}

function asked(): Asked {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: "string", multiple: true, default: [] },
      output: { type: "string", short: "o", default: "text" },
      log: { type: "boolean", default: false },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UnreadableSuite(usage);
  if (values.output !== "text" && values.output !== "json")
    throw new UnreadableSuite(`-o must be text or json, found ${values.output}. ${usage}`);
  return { file, only: values.only, json: values.output === "json", log: values.log };
}

function chosen(suite: Suite, only: readonly string[]): Suite {
  if (only.length === 0) return suite;
  const unknown = only.filter((name) => !suite.cases.some((test) => test.name === name));
  if (unknown.length > 0) throw new UnreadableSuite(`The file has no case ${unknown.join(", ")}`);
  return { ...suite, cases: suite.cases.filter(({ name }) => only.includes(name)) };
}

function line({ result, name, requests, ms, detail }: Outcome): string {
  const how = result === "skipped" ? `(${detail})` : `(${requests} requests, ${ms} ms)`;
  const text = `${result.padEnd(7)}  ${name}  ${how}`;
  return result === "FAILED" ? `${text}\n         ${detail}` : text;
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (result: Outcome["result"]): number =>
    outcomes.filter((outcome) => outcome.result === result).length;
  return `${count("ok")} passed, ${count("FAILED")} failed, ${count("skipped")} skipped`;
}

async function main(): Promise<number> {
  const { file, only, json, log } = asked();
  const suite = chosen(readSuite(file), only);
  const outcomes = await runSuite(suite, {
    onBaseRefused: (message) => console.error(message),
    ...(json ? {} : { onOutcome: (outcome: Outcome) => console.log(line(outcome)) }),
    ...(log ? { onLog: (text: string) => console.error(text) } : {}),
  });
  console.log(json ? JSON.stringify({ source: suite.source, cases: outcomes }, null, 2) : summary(outcomes));
  return outcomes.some(({ result }) => result === "FAILED") ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof UnreadableSuite ? 2 : 1;
}

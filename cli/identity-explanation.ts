import type { IdentityStep } from "@tulle/mesh-runtime/foundation/refusal.ts";
import type { IdentityExplanation } from "@tulle/mesh-runtime/identity/explanation/explain.ts";
import type { IdentityCheck } from "@tulle/mesh-runtime/identity/explanation/findings.ts";
import type { Look, Terminal } from "./terminal.ts";

/** What `tulle identity explain` answers. */
export interface IdentityReport extends IdentityExplanation {
  /** Who judged. */
  readonly audience: string;
  /** When, ISO 8601. */
  readonly at: string;
  readonly notes: readonly string[];
}

const looks: Readonly<Record<IdentityCheck["outcome"], Look>> = {
  passed: "green",
  failed: "red",
  "not reached": "dim",
  "not known": "yellow",
};

/** The verdict first, then every check in its order. */
export function identityText({ paint }: Pick<Terminal, "paint">, report: IdentityReport): string {
  const { accepted, caller, refusal, audience, at, notes, checks } = report;
  const failed = checks.find(({ outcome }) => outcome === "failed");
  const verdict = accepted
    ? `${paint("green", "accepted")}${caller === undefined ? " as nobody" : `: ${caller.spiffeId}, known by its ${caller.evidence}`}`
    : `${paint("red", `refused ${refusal?.kind ?? ""}`)}${failed?.detail === undefined ? "" : `, ${failed.detail}`}`;
  const step = refusal?.kind === "unidentified" ? refusal.step : undefined;
  const width = Math.max(...checks.map(({ name }) => name.length));
  return [
    `${verdict}`,
    ...(step === undefined ? [] : [`  ${remedies[step]}`]),
    ...notes.map((note) => `  ${paint("yellow", "note:")} ${note}`),
    "",
    paint("dim", `Judged as ${audience}, at ${at}`),
    ...checks.flatMap((check) => checkText(paint, check, width)),
  ].join("\n");
}

function checkText(
  paint: Terminal["paint"],
  { name, standard, outcome, seen, detail }: IdentityCheck,
  width: number,
): readonly string[] {
  const head = `${paint(looks[outcome], outcome.padEnd(11))}  ${name.padEnd(width)}  ${paint("dim", standard)}`;
  const said = [...(detail === undefined ? [] : [detail]), ...seen];
  return [head.trimEnd(), ...said.map((line) => `${" ".repeat(13)}${line}`)];
}

/** What to look at first. */
const remedies: Readonly<Record<IdentityStep, string>> = {
  missing: "Does the caller carry the mesh, and did all headers come along into the file?",
  malformed: "Something between the two changed a header, or the caller speaks another profile.",
  token: "See the first failed check below; `tulle keys list` shows the keys that are believed.",
  "trust-domain": "The caller's mesh is not trusted here, or the bundle is too old: `tulle check`.",
  session:
    "The caller is answered 400 and signs the same request at once; look at the request that follows this one.",
  proof:
    "Something between the two changed method, target or a covered header; or the file lacks one, or has another URL.",
  audience: "It was made for somebody else: see whom the caller called, and who got it.",
  clock:
    "Judge it at the time when it was captured, with --at; if it fails then too, compare the two clocks.",
  replay: "The same proof came before: a retry below the mesh, or somebody else has it.",
  digest: "Something between the two changed the body, or the file given is not it, to the byte.",
  evidence: "Let the caller sign, or set `evidence: binding` in the Service's document.",
  revoked: "`tulle identity revoked` says by whom and why.",
};

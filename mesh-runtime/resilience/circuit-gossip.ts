import { verdictLeaseMs } from "./circuit-verdict.ts";
import type { CircuitState, Verdict } from "./words.ts";

/*
 * The value of `tulle-circuits`: entries joined by commas, each
 *
 *   circuit "=" incarnation "." epoch "." state "." age [ "." probe-in | "." ramp-elapsed "." ramp ]
 *
 * with numbers in base 36, durations in milliseconds, and states c, o, h, r. One entry is some 40 bytes.
 */

/** Entries in one header at most. */
export const mostGossip = 8;
/** Bytes of one header at most. */
export const mostGossipBytes = 512;
/** The longest pause before a probe, or ramp, that is believed, milliseconds. */
const longestMs = 600_000;

const entryForm =
  /^([a-z0-9-]{1,63}\/[a-z0-9-]{1,63})=([0-9a-z]{1,11})\.([0-9a-z]{1,11})\.([cohr])\.([0-9a-z]{1,6})(?:\.([0-9a-z]{1,6}))?(?:\.([0-9a-z]{1,6}))?$/;

const letters: Readonly<Record<CircuitState, string>> = {
  closed: "c",
  open: "o",
  "half-open": "h",
  ramp: "r",
};
const states: Readonly<Record<string, CircuitState>> = { c: "closed", o: "open", h: "half-open", r: "ramp" };

/** Writes as many verdicts as fit, in the order given. */
export function formatGossip(verdicts: readonly Verdict[]): string {
  let text = "";
  for (const verdict of verdicts.slice(0, mostGossip)) {
    const entry = formatEntry(verdict);
    if (text.length + entry.length + 1 > mostGossipBytes) break;
    text += text === "" ? entry : `,${entry}`;
  }
  return text;
}

function formatEntry({ circuit, incarnation, epoch, state, ageMs, ...rest }: Verdict): string {
  const numbers = [base36(incarnation), base36(epoch), letters[state], base36(Math.ceil(ageMs))];
  if (state === "ramp") numbers.push(base36(rest.rampElapsedMs ?? 0), base36(rest.rampMs ?? 0));
  else if (state !== "closed") numbers.push(base36(rest.probeInMs ?? 0));
  return `${circuit}=${numbers.join(".")}`;
}

/** Durations are rounded down, ages up: nothing becomes younger by travelling. */
const base36 = (value: number): string => Math.max(0, Math.floor(value)).toString(36);

/**
 * Reads the header, all or nothing: what is partly unreadable was not written by the mesh. Verdicts
 * whose lease has ended are left out.
 * @returns `undefined` for a header that is malformed or over a limit
 */
export function parseGossip(text: string): Verdict[] | undefined {
  if (text.length > mostGossipBytes) return undefined;
  const entries = text.split(",");
  if (entries.length > mostGossip) return undefined;
  const verdicts: Verdict[] = [];
  for (const entry of entries) {
    const verdict = parseEntry(entry);
    if (verdict === undefined) return undefined;
    if (verdict.ageMs < verdictLeaseMs) verdicts.push(verdict);
  }
  return verdicts;
}

function parseEntry(entry: string): Verdict | undefined {
  const [, circuit, incarnationText, epochText, letter, ageText, first, second] = entryForm.exec(entry) ?? [];
  const state = states[letter ?? ""];
  const incarnation = whole(incarnationText, Number.MAX_SAFE_INTEGER);
  const epoch = whole(epochText, Number.MAX_SAFE_INTEGER);
  const ageMs = whole(ageText, Number.MAX_SAFE_INTEGER);
  if (
    circuit === undefined ||
    state === undefined ||
    incarnation === undefined ||
    epoch === undefined ||
    ageMs === undefined
  )
    return undefined;
  const said = { circuit, incarnation, epoch, state, ageMs };
  const firstMs = whole(first, longestMs);
  const secondMs = whole(second, longestMs);
  switch (state) {
    case "closed":
      return first === undefined ? said : undefined;
    case "open":
    case "half-open":
      return firstMs === undefined || second !== undefined ? undefined : { ...said, probeInMs: firstMs };
    case "ramp":
      if (firstMs === undefined || secondMs === undefined) return undefined;
      return { ...said, rampElapsedMs: firstMs, rampMs: secondMs };
  }
}

function whole(text: string | undefined, most: number): number | undefined {
  // Of no text it is NaN, which is not within anything.
  const value = Number.parseInt(text ?? "", 36);
  return value <= most ? value : undefined;
}

import { patternMatches } from "./automaton.ts";
import { type ReadPart, reads } from "./steps.ts";
import type { NamedMatch } from "./words.ts";

/** Whether the whole value is the one demanded, or falls under its pattern; one that is not there never does. */
export function valueMatches({ value, pattern }: NamedMatch, sent: string | null, part: ReadPart): boolean {
  if (pattern === undefined) return sent === value;
  if (sent === null) return false;
  reads(part);
  return patternMatches(pattern, sent);
}

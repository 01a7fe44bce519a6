import { patternMatches } from "./automaton.ts";
import type { NamedMatch } from "./words.ts";

/** Whether the whole value is the one demanded, or falls under its pattern; one that is not there never does. */
export const valueMatches = ({ value, pattern }: NamedMatch, sent: string | null): boolean =>
  pattern === undefined ? sent === value : sent !== null && patternMatches(pattern, sent);

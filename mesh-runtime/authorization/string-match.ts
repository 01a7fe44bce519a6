import type { StringMatch } from "./words.ts";

/**
 * Reads a value as Istio writes it: `*` is presence, `abc*` a prefix, `*abc` a suffix, anything else
 * exact. Asterisks elsewhere mean nothing to Istio; the schema refuses them before they come here.
 */
export function stringMatch(text: string): StringMatch {
  if (text === "*") return { type: "present" };
  if (text.startsWith("*")) return { type: "suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { type: "prefix", value: text.slice(0, -1) };
  return { type: "exact", value: text };
}

/** Whether a value fits. What is not there fits nothing, and an empty value is not there. */
export function stringMatches(match: StringMatch, value: string): boolean {
  if (value === "") return false;
  switch (match.type) {
    case "exact":
      return value === match.value;
    case "prefix":
      return value.startsWith(match.value);
    case "suffix":
      return value.endsWith(match.value);
    case "present":
      return true;
  }
}

/** Whether one of a list fits; an absent list fits everything. */
export const oneOf = (matches: readonly StringMatch[] | undefined, value: string): boolean =>
  matches?.some((match) => stringMatches(match, value)) ?? true;

/** Whether none of a list fits. */
export const noneOf = (matches: readonly StringMatch[] | undefined, value: string): boolean =>
  !(matches?.some((match) => stringMatches(match, value)) ?? false);

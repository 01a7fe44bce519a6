import type { NamedMatch, PathMatch, Pattern, RouteMatch } from "../routing/words.ts";
import { compilePattern } from "./compile-pattern.ts";
import type { DocumentOf } from "./documents.ts";

type WrittenMatch = DocumentOf<"HTTPRoute">["spec"]["rules"][number]["matches"][number];
type WrittenValue = NonNullable<WrittenMatch["headers" | "queryParams"]>[number];

/** A match as routing compares it. */
export function matchOf({ path, method, headers = [], queryParams = [] }: WrittenMatch): RouteMatch {
  return {
    path: pathMatch(path),
    ...(method === undefined ? {} : { method }),
    headers: headers.map((each) => ({ ...valueMatch(each), name: each.name.toLowerCase() })),
    query: queryParams.map(valueMatch),
  };
}

function pathMatch({ type, value }: WrittenMatch["path"]): PathMatch {
  return type === "RegularExpression" ? { type, value, pattern: patternOf(value) } : { type, value };
}

function valueMatch({ type, name, value }: WrittenValue): NamedMatch {
  return { name, value, ...(type === "RegularExpression" ? { pattern: patternOf(value) } : {}) };
}

/** Of an expression that the schema has let through. */
function patternOf(source: string): Pattern {
  const pattern = compilePattern(source);
  if (!pattern.ok) throw new TypeError(`Cannot compile a match: ${pattern.reason}`);
  return pattern.value;
}

import type { NamedValue, RouteMatch } from "../routing/words.ts";
import type { DocumentOf } from "./documents.ts";

type WrittenMatch = DocumentOf<"HTTPRoute">["spec"]["rules"][number]["matches"][number];

/** A match as routing compares it. */
export function matchOf({ path, method, headers, queryParams }: WrittenMatch): RouteMatch {
  return {
    path,
    ...(method === undefined ? {} : { method }),
    headers: namedValues(headers).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    query: namedValues(queryParams),
  };
}

const namedValues = (written: readonly NamedValue[] | undefined): readonly NamedValue[] =>
  (written ?? []).map(({ name, value }) => ({ name, value }));

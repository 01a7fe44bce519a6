import { compilePattern, instructionsOf, sizeOf } from "../compile-pattern.ts";
import type { DocumentOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import type { CheckedMesh } from "./checked-mesh.ts";
import { placesOf } from "./overlaps.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/**
 * Instructions of all regular expressions at one place together: what an isolate reads when the first text comes there,
 * some twenty milliseconds, and what a hostile request could make it keep. Ten thousand expressions of ordinary size fit.
 * What one request may take of them is bounded apart from that (`routing/steps.ts`).
 */
export const mostInstructions = 250_000;

/** The regular expressions of all routes at one place are together no larger than an isolate can take. */
export function* patternSizes(mesh: CheckedMesh): Generator<Issue> {
  // Nearly always it is enough to look at the texts.
  if (!isBeyond(mesh, (source) => sizeOf(source))) return;
  const sums = new Map<string, number>();
  for (const route of mesh.catalog.routes) {
    const size = sizeOfAll(route, compiledSize);
    if (size === 0) continue;
    for (const place of placesOf(mesh, route)) {
      const before = sums.get(place) ?? 0;
      sums.set(place, before + size);
      if (before > mostInstructions || before + size <= mostInstructions) continue;
      yield mesh.issue(route, {
        path: ["spec", "rules"],
        expected: `regular expressions that come to ${mostInstructions} instructions with those of the other routes at this place`,
        found: `${before + size}`,
        message: `With this route the regular expressions at ${shown(place)} come to ${before + size} instructions, and ${mostInstructions} is the most that one table may have; write fewer, shorter ones, or prefixes and values in their place.`,
      });
    }
  }
}

function isBeyond(mesh: CheckedMesh, sizeOfOne: (source: string) => number): boolean {
  let sum = 0;
  for (const route of mesh.catalog.routes) sum += sizeOfAll(route, sizeOfOne);
  return sum > mostInstructions;
}

function sizeOfAll({ spec }: HTTPRoute, sizeOfOne: (source: string) => number): number {
  let sum = 0;
  for (const { matches } of spec.rules)
    for (const { path, headers = [], queryParams = [] } of matches)
      for (const { type, value } of [path, ...headers, ...queryParams])
        if (type === "RegularExpression") sum += sizeOfOne(value);
  return sum;
}

function compiledSize(source: string): number {
  const pattern = compilePattern(source);
  return pattern.ok ? instructionsOf(pattern.value) : 0;
}

/** `Service default/shop …` without what tells places of one parent apart. */
const shown = (place: string): string => place.split(" ", 2).join(" ");

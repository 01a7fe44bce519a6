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

/**
 * The regular expressions of all routes at one place are together no larger than an isolate can take. Each of the routes
 * has the issue, so that a set that was too large before stays in force while one of them is taken away.
 */
export function* patternSizes(mesh: CheckedMesh): Generator<Issue> {
  // Nearly always it is enough to look at the texts.
  if (!isBeyond(mesh, sizeOf)) return;
  const places = new Map<string, { sum: number; readonly routes: HTTPRoute[] }>();
  for (const route of mesh.catalog.routes) {
    const size = sizeOfAll(route, compiledSize);
    if (size === 0) continue;
    for (const place of placesOf(mesh, route)) {
      const there = places.get(place) ?? { sum: 0, routes: [] };
      places.set(place, there);
      there.sum += size;
      there.routes.push(route);
    }
  }
  for (const [place, { sum, routes }] of places) {
    if (sum <= mostInstructions) continue;
    for (const route of routes) {
      yield mesh.issue(route, {
        path: ["spec", "rules"],
        expected: `regular expressions that come to ${mostInstructions} instructions together`,
        found: `${sum}`,
        message: `The regular expressions of this route and the others at ${shown(place)} come to more than ${mostInstructions} instructions, which is the most that one table may have; write fewer or shorter ones, or prefixes and values in their place.`,
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

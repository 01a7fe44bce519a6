import { boundHostnames } from "../../routing/hostname-intersection.ts";
import { precedenceWords } from "../age.ts";
import { canonicalJson } from "../canonical.ts";
import { type DocumentOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { notAttached, parentKey } from "../references.ts";
import { type CheckedMesh, shortened } from "./checked-mesh.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type Match = HTTPRoute["spec"]["rules"][number]["matches"][number];

interface Placed {
  readonly route: HTTPRoute;
  readonly rule: number;
  readonly match: number;
}

/**
 * No two matches collide unnoticed: of equal ones at one place only the first in precedence (age, name,
 * order) ever decides, and the other is dead.
 */
export function* shadowedMatches(mesh: CheckedMesh): Generator<Issue> {
  const first = new Map<string, Placed>();
  const told = new Set<string>();
  for (const route of mesh.catalog.routes) {
    const places = placesOf(mesh, route);
    for (const [rule, { matches }] of route.spec.rules.entries()) {
      for (const [match, written] of matches.entries()) {
        const text = canonical(written);
        for (const place of places) {
          const key = `${place} ${text}`;
          const earlier = first.get(key);
          const here = `${nameOf(route)} ${rule} ${match}`;
          if (earlier === undefined) first.set(key, { route, rule, match });
          else if (!told.has(here)) {
            told.add(here);
            yield shadowed(mesh, { route, rule, match }, earlier);
          }
        }
      }
    }
  }
}

function shadowed({ issue, place, catalog }: CheckedMesh, later: Placed, earlier: Placed): Issue {
  const at = ({ rule, match }: Placed) => ["spec", "rules", rule, "matches", match];
  const first =
    earlier.route === later.route
      ? "stands first"
      : precedenceWords(catalog.ages, earlier.route, later.route);
  return issue(later.route, {
    severity: "warning",
    path: at(later),
    expected: "a match that no earlier rule has",
    found: `the same as in ${nameOf(earlier.route)}`,
    message: `${nameOf(earlier.route)} (${place(earlier.route, at(earlier))}) has this match already and ${first}, so this one never decides; remove or narrow one.`,
  });
}

/** Where the rules of a route stand beside those of others: a Service for callers of a namespace, or a host at a listener. */
export function placesOf({ catalog }: CheckedMesh, route: HTTPRoute): ReadonlySet<string> {
  const places = new Set<string>();
  for (const ref of route.spec.parentRefs) {
    const key = parentKey(route, ref);
    if (ref.kind === "Service") {
      places.add(`Service ${key} ${route.metadata.namespace} ${ref.port ?? "*"}`);
      continue;
    }
    const gateway = catalog.gateways.get(key);
    for (const listener of gateway?.spec.listeners ?? []) {
      if (gateway === undefined || notAttached(catalog, gateway, listener, route, ref) !== undefined)
        continue;
      for (const { hostname = "*" } of boundHostnames(route.spec.hostnames ?? [], listener.hostname)) {
        places.add(`Gateway ${key} ${listener.name} ${hostname}`);
      }
    }
  }
  return places;
}

/** Equal conditions in another order, or with headers in another case, are equal. */
function canonical({ path, method, headers = [], queryParams = [] }: Match): string {
  const sorted = (values: NonNullable<Match["headers" | "queryParams"]>): readonly string[] =>
    values.map(({ type, name, value }) => canonicalJson([type, name, value])).sort();
  const folded = headers.map((each) => ({ ...each, name: each.name.toLowerCase() }));
  const value = path.type === "PathPrefix" ? path.value.replace(/\/$/, "") : path.value;
  return canonicalJson([path.type, value, method ?? "", sorted(folded), sorted(queryParams)]);
}

/**
 * Services whose routes send to each other. Routing goes one level, so requests do not run in circles,
 * but somebody who writes this usually expects that they go on.
 */
export function* routeCycles({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const edges = new Map<string, { readonly route: HTTPRoute; readonly to: Set<string> }>();
  for (const route of catalog.routes) {
    for (const ref of route.spec.parentRefs) {
      if (ref.kind !== "Service") continue;
      const from = parentKey(route, ref);
      const edge = edges.get(from) ?? { route, to: new Set<string>() };
      for (const { backendRefs = [] } of route.spec.rules) {
        for (const { namespace, name } of backendRefs)
          edge.to.add(`${namespace ?? route.metadata.namespace}/${name}`);
      }
      edge.to.delete(from);
      edges.set(from, edge);
    }
  }
  for (const circle of circlesIn(edges)) {
    const [start = ""] = circle;
    const route = edges.get(start)?.route;
    if (route === undefined) continue;
    const way = shortened([...circle, start]).join(" → ");
    yield issue(route, {
      severity: "warning",
      path: ["spec", "parentRefs"],
      expected: "routes that do not lead back to where they began",
      found: way,
      message: `Routes lead in a circle, ${way}; a request follows one of them and stops, so name the last backend in each.`,
    });
  }
}

/** Circles that are told; more of them are one mistake. */
const maxCircles = 20;
/** Circles of a graph, each found once where a walk in depth comes back to its own way; every edge is followed once. */
function* circlesIn(
  edges: ReadonlyMap<string, { readonly to: ReadonlySet<string> }>,
): Generator<readonly string[]> {
  const done = new Set<string>();
  let found = 0;
  for (const root of edges.keys()) {
    const way: { readonly key: string; readonly next: Iterator<string> }[] = [];
    const onWay = new Set<string>();
    const enter = (key: string): void => {
      onWay.add(key);
      way.push({ key, next: (edges.get(key)?.to ?? new Set<string>()).values() });
    };
    if (!done.has(root)) enter(root);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const step = top.next.next();
      if (step.done === true) {
        onWay.delete(top.key);
        done.add(top.key);
        way.pop();
      } else if (onWay.has(step.value)) {
        if (found++ === maxCircles) return;
        yield way.slice(way.findIndex(({ key }) => key === step.value)).map(({ key }) => key);
      } else if (!done.has(step.value)) enter(step.value);
    }
  }
}

import { parseDuration } from "../foundation/duration.ts";
import type {
  Backend,
  Filter,
  HeaderChange,
  NamedValue,
  PathChange,
  RouteMatch,
  Rule,
} from "../routing/words.ts";
import type { Catalog } from "./catalog.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { type BackendRef, backendOf, type ParentRef } from "./references.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type WrittenRule = HTTPRoute["spec"]["rules"][number];
type WrittenMatch = WrittenRule["matches"][number];
type WrittenFilter = NonNullable<WrittenRule["filters"]>[number];
type Modifier = NonNullable<WrittenFilter["requestHeaderModifier"]>;
type WrittenPath = NonNullable<NonNullable<WrittenFilter["urlRewrite"]>["path"]>;

/** Gateway API `HTTPRouteRetry.attempts`. */
const retryAttempts = 1;

/** The rules of a route, as they hold where it is attached to a parent of this kind. */
export function rulesOf(catalog: Catalog, route: HTTPRoute, parent: ParentRef["kind"]): readonly Rule[] {
  return route.spec.rules.map((rule, index) => ({
    name: `${nameOf(route)}/${rule.name ?? index}`,
    matches: rule.matches.map(matchOf),
    filters: (rule.filters ?? []).flatMap(filterOf),
    backends: (rule.backendRefs ?? []).map((ref) => backend(catalog, route, ref, parent)),
    ...timeoutsOf(rule),
    ...retryOf(rule),
  }));
}

/** Milliseconds of a duration that the schema has let through. */
export function millisecondsOf(written: string): number {
  const parsed = parseDuration(written);
  if (!parsed.ok) throw new TypeError(`Cannot compile a duration: it must be ${parsed.reason}`);
  return parsed.value;
}

function backend(catalog: Catalog, route: HTTPRoute, ref: BackendRef, parent: ParentRef["kind"]): Backend {
  const { key, unusable } = backendOf(catalog, route, ref, parent);
  return {
    service: key,
    weight: ref.weight,
    filters: (ref.filters ?? []).flatMap(filterOf),
    ...(unusable === undefined ? {} : { unusable }),
  };
}

function matchOf({ path, method, headers, queryParams }: WrittenMatch): RouteMatch {
  return {
    path,
    ...(method === undefined ? {} : { method }),
    headers: namedValues(headers).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    query: namedValues(queryParams),
  };
}

const namedValues = (written: readonly NamedValue[] | undefined): readonly NamedValue[] =>
  (written ?? []).map(({ name, value }) => ({ name, value }));

/** One filter; the schema has seen to it that the member of its type is there. */
function filterOf(filter: WrittenFilter): readonly Filter[] {
  const { type, requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite } = filter;
  if (type === "RequestHeaderModifier" && requestHeaderModifier !== undefined) {
    return [{ type, ...headerChange(requestHeaderModifier) }];
  }
  if (type === "ResponseHeaderModifier" && responseHeaderModifier !== undefined) {
    return [{ type, ...headerChange(responseHeaderModifier) }];
  }
  if (type === "URLRewrite" && urlRewrite !== undefined) {
    const { hostname, path } = urlRewrite;
    return [{ type, ...(hostname === undefined ? {} : { hostname }), ...pathChange(path) }];
  }
  if (type === "RequestRedirect" && requestRedirect !== undefined) {
    const { path, ...rest } = requestRedirect;
    return [{ type, ...rest, ...pathChange(path) }];
  }
  throw new TypeError(`Cannot compile a filter of type ${type}: its member is missing`);
}

function headerChange({ set, add, remove }: Modifier): HeaderChange {
  const lower = (values: readonly NamedValue[] | undefined): readonly NamedValue[] =>
    (values ?? []).map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  return { set: lower(set), add: lower(add), remove: (remove ?? []).map((name) => name.toLowerCase()) };
}

function pathChange(path: WrittenPath | undefined): { readonly path?: PathChange } {
  if (path === undefined) return {};
  const { type, replaceFullPath = "/", replacePrefixMatch = "/" } = path;
  return { path: { type, value: type === "ReplaceFullPath" ? replaceFullPath : replacePrefixMatch } };
}

function timeoutsOf({ timeouts }: WrittenRule): Pick<Rule, "requestTimeoutMs" | "backendTimeoutMs"> {
  const { request, backendRequest } = timeouts ?? {};
  return {
    ...(request === undefined ? {} : { requestTimeoutMs: millisecondsOf(request) }),
    ...(backendRequest === undefined ? {} : { backendTimeoutMs: millisecondsOf(backendRequest) }),
  };
}

function retryOf({ retry }: WrittenRule): Pick<Rule, "retry"> {
  if (retry === undefined) return {};
  const { codes = [], attempts = retryAttempts, backoff } = retry;
  return {
    retry: { codes, attempts, ...(backoff === undefined ? {} : { backoffMs: millisecondsOf(backoff) }) },
  };
}

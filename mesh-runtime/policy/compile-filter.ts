import { canonicalOrigin } from "../routing/origin-match.ts";
import type { Cors, Filter, HeaderChange, Mirror, NamedValue, PathChange } from "../routing/words.ts";
import { routeDefaults } from "./defaults.ts";
import type { DocumentOf } from "./documents.ts";
import type { BackendName, Referred } from "./references.ts";

const { mirrorDenominator } = routeDefaults;

type WrittenFilter = NonNullable<DocumentOf<"HTTPRoute">["spec"]["rules"][number]["filters"]>[number];
type WrittenMirror = NonNullable<WrittenFilter["requestMirror"]>;
type WrittenCors = NonNullable<WrittenFilter["cors"]>;
type Modifier = NonNullable<WrittenFilter["requestHeaderModifier"]>;
type WrittenPath = NonNullable<NonNullable<WrittenFilter["urlRewrite"]>["path"]>;

/** Where a reference to a backend leads that stands in the route that is compiled. */
export type Refer = (ref: BackendName) => Referred;

/**
 * Compiles filters of one route; the schema has seen to it that the member of each one's type is there.
 */
export const filtersOf = (filters: readonly WrittenFilter[] | undefined, refer: Refer): readonly Filter[] =>
  (filters ?? []).map((filter) => filterOf(filter, refer));

function filterOf(filter: WrittenFilter, refer: Refer): Filter {
  const { type, requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite } = filter;
  const { requestMirror, cors } = filter;
  if (type === "RequestHeaderModifier" && requestHeaderModifier !== undefined) {
    return { type, ...headerChange(requestHeaderModifier) };
  }
  if (type === "ResponseHeaderModifier" && responseHeaderModifier !== undefined) {
    return { type, ...headerChange(responseHeaderModifier) };
  }
  if (type === "URLRewrite" && urlRewrite !== undefined) {
    const { hostname, path } = urlRewrite;
    return { type, ...(hostname === undefined ? {} : { hostname }), ...pathChange(path) };
  }
  if (type === "RequestRedirect" && requestRedirect !== undefined) {
    const { path, ...rest } = requestRedirect;
    return { type, ...rest, ...pathChange(path) };
  }
  if (type === "RequestMirror" && requestMirror !== undefined) return mirrorOf(requestMirror, refer);
  if (type === "CORS" && cors !== undefined) return corsOf(cors);
  throw new TypeError(`Cannot compile a filter of type ${type}: its member is missing`);
}

/** A mirror that leads nowhere stays, with the reason: requests pass as if it were not there (Gateway API). */
function mirrorOf({ backendRef, percent, fraction }: WrittenMirror, refer: Refer): Mirror {
  const { key, unusable } = refer(backendRef);
  return {
    type: "RequestMirror",
    service: key,
    ...(unusable === undefined ? {} : { unusable }),
    numerator: fraction?.numerator ?? percent ?? mirrorDenominator,
    denominator: fraction?.denominator ?? mirrorDenominator,
  };
}

function corsOf({ allowOrigins = [], allowCredentials = false, maxAge, ...written }: WrittenCors): Cors {
  const { allowMethods = [], allowHeaders = [], exposeHeaders = [] } = written;
  return {
    type: "CORS",
    allowOrigins: allowOrigins.map(canonicalOrigin),
    allowCredentials,
    allowMethods,
    allowHeaders,
    exposeHeaders,
    maxAgeSeconds: maxAge,
  };
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

import type { Filter, HeaderChange, NamedValue, PathChange } from "../routing/words.ts";
import type { DocumentOf } from "./documents.ts";

type WrittenFilter = NonNullable<DocumentOf<"HTTPRoute">["spec"]["rules"][number]["filters"]>[number];
type Modifier = NonNullable<WrittenFilter["requestHeaderModifier"]>;
type WrittenPath = NonNullable<NonNullable<WrittenFilter["urlRewrite"]>["path"]>;

/** One filter; the schema has seen to it that the member of its type is there. */
export function filterOf(filter: WrittenFilter): readonly Filter[] {
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

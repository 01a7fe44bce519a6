import type { Message } from "../foundation/exchange.ts";
import { Fields, type HeaderFields } from "../foundation/fields.ts";
import { type Asked, sayCors } from "./cors.ts";
import { changePath } from "./path-change.ts";
import type { Filter, HeaderChange, Matched } from "./words.ts";

type Rewrite = Extract<Filter, { type: "URLRewrite" }>;

/**
 * Applies what filters do to a request, in the order listed. Filters for the response, redirects and mirrors
 * are left to others. The message that came in is not changed, because another attempt may start from it:
 * what changes is new, what does not is shared.
 *
 * @param matched what `ReplacePrefixMatch` refers to
 */
export function applyRequestFilters(
  message: Message,
  filters: readonly Filter[],
  matched: Matched | undefined,
): Message {
  let now = message;
  for (const filter of filters) {
    if (filter.type === "URLRewrite") now = rewritten(now, filter, matched);
    else if (filter.type === "RequestHeaderModifier" && changes(filter, now.headers))
      now = { ...now, headers: changed(new Fields(now.headers), filter) };
  }
  return now;
}

/**
 * Applies what filters do to a response, in the order listed. A response that nothing changes is the
 * same object; otherwise a new one takes over body, status and, in workerd, `webSocket`, because headers
 * of a response that was fetched are immutable.
 *
 * @param asked the request as it was before any filter: who asks, CORS has to know
 */
export function applyResponseFilters(response: Response, filters: readonly Filter[], asked: Asked): Response {
  let now = response;
  for (const filter of filters) {
    if (filter.type === "CORS") {
      now = new Response(now.body, now);
      sayCors(now.headers, filter, asked);
    } else if (filter.type === "ResponseHeaderModifier" && changes(filter, now.headers)) {
      now = new Response(now.body, now);
      changed(now.headers, filter);
    }
  }
  return now;
}

/**
 * The host that a callee sees is the one of the URL: over a service binding nothing else says it. The
 * `host` field is set with it, as Gateway API words it, so that the two never tell different stories. A
 * hostname replaces host and port, since the port belonged to the host that was left.
 */
function rewritten(message: Message, { hostname, path }: Rewrite, matched: Matched | undefined): Message {
  const url = new URL(message.url);
  if (path !== undefined) url.pathname = changePath(url.pathname, path, matched);
  if (hostname === undefined) return { ...message, url };
  url.hostname = hostname;
  url.port = "";
  const headers = new Fields(message.headers);
  headers.set("host", url.host);
  return { ...message, url, headers };
}

const changes = ({ set, add, remove }: HeaderChange, headers: HeaderFields): boolean =>
  set.length > 0 || add.length > 0 || remove.some((name) => headers.has(name));

/**
 * What is added follows what is there after a comma (Gateway API `HTTPHeaderFilter.add`). `set-cookie` keeps its lines
 * apart, because a comma is part of its values (RFC 9110 §5.3).
 */
function changed<Changed extends HeaderFields>(
  headers: Changed,
  { set, add, remove }: HeaderChange,
): Changed {
  for (const { name, value } of set) headers.set(name, value);
  for (const { name, value } of add) {
    const before = name.toLowerCase() === "set-cookie" ? null : headers.get(name);
    if (before === null) headers.append(name, value);
    else headers.set(name, `${before},${value}`);
  }
  for (const name of remove) headers.delete(name);
  return headers;
}

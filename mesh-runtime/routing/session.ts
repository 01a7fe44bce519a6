import type { HeaderFields } from "../foundation/fields.ts";
import { hashOf } from "./balancing/hash.ts";
import { cookieValues } from "./cookies.ts";
import type { Backend, Pinned, ServiceKey, SessionSettings } from "./words.ts";

/*
 * What a session's cookie or header says: for each rule that shares its name one entry, `rule.since.backend.endpoint`,
 * with hashes for the names and the seconds since the Unix epoch to the base 36. It holds no address, and nothing that
 * is believed: it is compared with what the rule has, and what does not fit is as if it were not there. Whoever makes
 * one up reaches a backend of the rule, as everybody does.
 */

/** Rules of one name that are remembered beside each other: rules share no session, though a document may give them one name (GEP-1619). */
const maxEntries = 8;
const maxEntryLength = 48;
const entryForm = /^[0-9a-z]{1,12}(?:\.[0-9a-z]{1,12}){3}$/;
/** Since when a session is may lie ahead of this isolate's clock by so much, milliseconds. */
const maxSkewMs = 60_000;

interface Entry {
  readonly rule: string;
  readonly sinceMs: number;
  readonly backend: string;
  readonly endpoint: string;
  readonly text: string;
}

const short = (text: string): string => hashOf(text).toString(36);
const backendHash = (rule: string, service: ServiceKey): string => short(`${rule}\n${service}`);
const endpointHash = (rule: string, service: ServiceKey, name: string): string =>
  short(`${rule}\n${service}\n${name}`);

/** Everything well formed that a request says of sessions of this name. */
function entriesIn(settings: SessionSettings, headers: Pick<HeaderFields, "get">): readonly Entry[] {
  const { type, name } = settings;
  const values = type === "Cookie" ? cookieValues(headers.get("cookie"), name) : [headers.get(name) ?? ""];
  return values
    .filter((value) => value.length <= maxEntries * maxEntryLength)
    .flatMap((value) => value.split("~"))
    .filter((text) => entryForm.test(text))
    .map((text) => {
      const [rule = "", since = "", backend = "", endpoint = ""] = text.split(".");
      return { rule, sinceMs: Number.parseInt(since, 36) * 1_000, backend, endpoint, text };
    });
}

const isAlive = ({ sinceMs }: Entry, { absoluteTimeoutMs }: SessionSettings, now: number): boolean =>
  sinceMs <= now + maxSkewMs && (absoluteTimeoutMs === undefined || now - sinceMs < absoluteTimeoutMs);

/**
 * Where the requests of a session went before, as far as that is a backend of the rule that can be used. Its weight
 * does not matter: sessions outlive weight 0 (GEP-1619).
 *
 * @param rule its name
 */
export function pinnedIn(
  headers: Pick<HeaderFields, "get">,
  settings: SessionSettings,
  rule: string,
  backends: readonly Backend[],
  now: number,
): Pinned | undefined {
  const own = short(rule);
  for (const entry of entriesIn(settings, headers)) {
    if (entry.rule !== own || !isAlive(entry, settings, now)) continue;
    const backend = backends.find(
      ({ service, unusable }) => unusable === undefined && backendHash(rule, service) === entry.backend,
    );
    if (backend === undefined) continue;
    const { service } = backend;
    return { backend, isEndpoint: (name) => endpointHash(rule, service, name) === entry.endpoint };
  }
  return undefined;
}

/** The header that begins a session: `set-cookie`, or the session's own. What other rules have under this name stays. */
export function sessionHeader(
  headers: Pick<HeaderFields, "get">,
  settings: SessionSettings,
  rule: string,
  taken: { readonly service: ServiceKey; readonly endpoint: string },
  now: number,
  secure: boolean,
): { readonly name: string; readonly value: string } {
  const own = short(rule);
  const { service, endpoint } = taken;
  const entry = [
    own,
    Math.floor(now / 1_000).toString(36),
    backendHash(rule, service),
    endpointHash(rule, service, endpoint),
  ].join(".");
  const others = entriesIn(settings, headers).filter(({ rule: of }) => of !== own);
  const value = [...new Set([entry, ...others.map(({ text }) => text)])].slice(0, maxEntries).join("~");
  if (settings.type === "Header") return { name: settings.name, value };
  const { name, path = "/", lifetime, absoluteTimeoutMs } = settings;
  const age = lifetime === "Permanent" && absoluteTimeoutMs !== undefined;
  const attributes = [
    `Path=${path}`,
    ...(age ? [`Max-Age=${Math.ceil(absoluteTimeoutMs / 1_000)}`] : []),
    "HttpOnly",
    // GEP-1619: by default what is safest.
    "SameSite=Strict",
    ...(secure ? ["Secure"] : []),
  ];
  return { name: "set-cookie", value: [`${name}=${value}`, ...attributes].join("; ") };
}

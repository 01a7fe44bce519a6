import type { TokenPlace, TokenRule, TokenRules } from "./end-user.ts";

/** As much of a request as tokens are looked for in. */
export interface Asked {
  /** As the runtime has it. */
  readonly url: string;
  /** The value of a header, several joined with a comma; `null` without one. */
  readonly header: (name: string) => string | null;
}

/** A token, or what stands in its place and is none. */
export interface FoundToken {
  readonly text: string;
  readonly place: TokenPlace;
  /** The rules that look for tokens there. */
  readonly rules: readonly TokenRule[];
}

/**
 * Every token in a request, in all places that a rule names. What an application could take for a token there is
 * one here: schemes in any letter case (RFC 9110 §11.1), a header or cookie that came twice, a parameter's name in any encoding.
 * Otherwise a request with a forged token would go on as one without any.
 */
export function tokensIn({ places }: TokenRules, { url, header }: Asked): readonly FoundToken[] {
  const found: FoundToken[] = [];
  const seen = new Set<string>();
  for (const { place, rules } of places) {
    if (place.type === "header") {
      const value = seen.has(place.name) ? null : header(place.name);
      const text = value === null ? undefined : afterPrefix(value, place.prefix);
      if (text === undefined) continue;
      // Of one header the longest prefix that fits says what the token is.
      seen.add(place.name);
      found.push({ text, place, rules });
    } else {
      const texts =
        place.type === "cookie" ? inCookies(header("cookie"), place.name) : inQuery(url, place.name);
      for (const text of texts) found.push({ text, place, rules });
    }
  }
  return found;
}

/** Undefined where the header holds something else, such as another scheme of `authorization`. */
function afterPrefix(value: string, prefix: string): string | undefined {
  const scheme = prefix.trim().toLowerCase();
  if (scheme === "") return value.trim() === "" ? undefined : value.trim();
  const spaced = prefix !== prefix.trimEnd();
  const fits = (text: string): boolean =>
    text.toLowerCase().startsWith(scheme) && (!spaced || /^(?:\s|$)/.test(text.slice(scheme.length)));
  const whole = value.trim();
  if (fits(whole)) return whole.slice(scheme.length).trim();
  // It came twice, and the runtime has joined them: the whole of it is no token, and is refused as such.
  return whole.split(",").some((part) => fits(part.trim())) ? whole : undefined;
}

/** Cookies are cut at commas too: two headers of that name come as one with a comma, and no token holds one. */
const cookieCut = /([;,])/;

function inCookies(header: string | null, name: string): readonly string[] {
  if (header === null || !header.includes(name)) return [];
  return header.split(";").flatMap((line) => {
    const found = line.split(",").flatMap((pair) => {
      const value = cookieName(pair) === name ? cookieValue(pair) : "";
      return value === "" ? [] : [value];
    });
    // An application cuts at semicolons alone: before the comma there is nothing, and what it sees is all that follows.
    return cookieName(line) === name && /^\s*,/.test(cookieValue(line))
      ? [cookieValue(line), ...found]
      : found;
  });
}

const cookieValue = (pair: string): string => unquoted(pair.slice(pair.indexOf("=") + 1).trim());

const cookieName = (pair: string): string | undefined => {
  const at = pair.indexOf("=");
  return at > 0 ? pair.slice(0, at).trim() : undefined;
};

const unquoted = (value: string): string =>
  value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;

/**
 * Read in one go, as an application does: outsiders can send thousands of parameters, and each call of the platform
 * costs (16,000 of them took 45 ms in workerd one by one, and take 1 ms).
 */
function inQuery(url: string, name: string): readonly string[] {
  const at = url.indexOf("?");
  if (at === -1) return [];
  return new URLSearchParams(url.slice(at + 1)).getAll(name).filter((value) => value !== "");
}

/** A URL before its query, and the pairs of that as they are written. */
function queryOf(url: string): { readonly before: string; readonly pairs: readonly string[] } {
  const at = url.indexOf("?");
  return at === -1
    ? { before: url, pairs: [] }
    : { before: url.slice(0, at), pairs: url.slice(at + 1).split("&") };
}

/** Whether a pair has this name, decoded as an application would. The platform is asked only where there is something to decode. */
function isNamed(pair: string, name: string): boolean {
  const end = pair.indexOf("=");
  const written = end === -1 ? pair : pair.slice(0, end);
  return /[%+?]/.test(written) ? new URLSearchParams(pair).has(name) : pair !== "" && written === name;
}

/** What must be changed about a request so that a token is no longer in it. */
export type Without = { readonly header: string; readonly value: string | null } | { readonly url: string };

/** Takes a token out: its header, its cookie among others, or its parameter. Everything else stays as it was written. */
export function withoutToken(place: TokenPlace, { url, header }: Asked): Without {
  switch (place.type) {
    case "header":
      return { header: place.name, value: null };
    case "cookie": {
      const value = withoutCookie(header("cookie") ?? "", place.name);
      return { header: "cookie", value: value === "" ? null : value };
    }
    case "query": {
      const { before, pairs } = queryOf(url);
      const kept = pairs.filter((pair) => !isNamed(pair, place.name));
      return { url: kept.length === 0 ? before : `${before}?${kept.join("&")}` };
    }
  }
}

function withoutCookie(header: string, name: string): string {
  // Pairs and what stands before each, in turn.
  const parts = ["", ...header.split(cookieCut)];
  let kept = "";
  for (let at = 1; at < parts.length; at += 2) {
    const pair = parts[at] ?? "";
    if (cookieName(pair) !== name) kept += kept === "" ? pair.trimStart() : `${parts[at - 1] ?? ""}${pair}`;
  }
  return kept;
}

import { normalPath } from "../authorization/path-form.ts";
import { stringMatch } from "../authorization/rule.ts";
import type { StringMatch } from "../authorization/words.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { parseSpiffeId } from "../identity/spiffe-id.ts";

/*
 * How values of an AuthorizationPolicy are read. Each reader returns the match, or a phrase that
 * completes "must be …". The schema refuses by them, compile converts by them: one reading.
 */

const scheme = "spiffe://";
const partOfId = /^[A-Za-z0-9._/-]+$/;

/**
 * A principal as Istio writes it, `trust-domain/ns/x/sa/y`, or as SPIFFE does, `spiffe://…`. Matches
 * compare whole SPIFFE IDs, so both come out with the scheme; a suffix has none to begin with.
 */
export function principalMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const { type, value } = match.value;
  if (type === "suffix") {
    return partOfId.test(value) ? match : no("the end of a SPIFFE ID after the asterisk");
  }
  const bare = value.startsWith(scheme) ? value.slice(scheme.length) : value;
  if (type === "prefix") {
    return bare === "" || partOfId.test(bare)
      ? ok({ type, value: scheme + bare })
      : no("the beginning of a SPIFFE ID before the asterisk");
  }
  const id = parseSpiffeId(scheme + bare);
  return id.ok
    ? ok({ type, value: id.value.uri })
    : no('a SPIFFE ID such as "mesh.local/ns/default/sa/web", or "*"');
}

/** A namespace. */
export function namespaceMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  return /^[a-z0-9-]{1,63}$/.test(match.value.value)
    ? match
    : no("a namespace, or a part of one with an asterisk");
}

/** A method. Compared in upper case, and written so. */
export function methodMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  return /^[A-Z0-9!#$%&'+.^_`|~-]{1,64}$/.test(match.value.value)
    ? match
    : no('a method in upper case, such as "GET"');
}

/** A path, in the form in which paths are compared; Istio's templates (`{*}`) are not among them. */
export function pathMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const { type, value } = match.value;
  if (/[?#{}]/.test(value)) return no("a path without query, fragment and template");
  // The end of a path need not begin with a slash; it is read as if it stood after one.
  const rooted = value.startsWith("/") || type !== "suffix" ? value : `/${value}`;
  const form = normalPath(rooted);
  if (!form.ok) return no(`a path such as "/admin" or "/admin*" (this one has or is ${form.reason})`);
  return ok({ type, value: rooted === value ? form.value : form.value.slice(1) });
}

/** Asterisks stand alone, first or last; elsewhere Istio would take them for letters, and people would not. */
function wildcard(written: string): Result<StringMatch, string> {
  const match = stringMatch(written);
  if (match.type === "present") return ok(match);
  return match.value === "" || match.value.includes("*")
    ? no("a value with one asterisk at most, first or last")
    : ok(match);
}

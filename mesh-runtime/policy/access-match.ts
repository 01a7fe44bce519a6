import { parseBlock } from "../authorization/address.ts";
import { normalPath } from "../authorization/path-form.ts";
import { anySegments, oneSegment } from "../authorization/path-template.ts";
import { stringMatch } from "../authorization/rule.ts";
import type { Condition, PathMatch, StringMatch } from "../authorization/words.ts";
import { belongsToMesh } from "../foundation/headers.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { parseSpiffeId } from "../identity/spiffe-id.ts";
import { didYouMean } from "./nearest.ts";

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

/** An end user, `issuer/subject`. */
export function requestPrincipalMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const { type, value } = match.value;
  if (!printable.test(value)) return no("an issuer and a subject without control characters");
  return type !== "exact" || /.\/./.test(value)
    ? match
    : no(
        'an issuer, a slash and a subject, such as "https://id.example.com/alice", or "https://id.example.com/*"',
      );
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

/** A path, in the form in which paths are compared, or a template of segments (Istio `Operation.paths`). */
export function pathMatch(written: string): Result<PathMatch, string> {
  if (/[{}]/.test(written)) return templateMatch(written);
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const { type, value } = match.value;
  if (/[?#]/.test(value)) return no("a path without query and fragment");
  // The end of a path need not begin with a slash; it is read as if it stood after one.
  const rooted = value.startsWith("/") || type !== "suffix" ? value : `/${value}`;
  const form = normalPath(rooted);
  if (!form.ok) return no(`a path such as "/admin" or "/admin*" (this one has or is ${form.reason})`);
  return ok({ type, value: rooted === value ? form.value : form.value.slice(1) });
}

function templateMatch(written: string): Result<PathMatch, string> {
  const segments = written.split("/");
  const operators = segments.map((segment) => segment === oneSegment || segment === anySegments);
  const literal = segments.map((segment, index) => (operators[index] ? "x" : segment)).join("/");
  if (/[{}*]/.test(literal))
    return no('a path in which "{*}" or "{**}" is a whole segment, and no other asterisk or brace stands');
  const many = segments.indexOf(anySegments);
  if (many !== -1 && operators.lastIndexOf(true) > many)
    return no('a path in which "{**}" is the last operator');
  const form = /[?#]/.test(literal) ? no("a query or fragment") : normalPath(literal);
  if (!form.ok) return no(`a path such as "/users/{*}/keys" (this one has or is ${form.reason})`);
  const parts = form.value.split("/");
  return ok({
    type: "template",
    value: parts.map((part, index) => (operators[index] ? (segments[index] ?? "") : part)).join("/"),
  });
}

/** A host name, as `Host` has it but without port. */
export function hostMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const value = match.value.value.toLowerCase();
  if (value.includes(":") && !value.startsWith("[")) return no("a host name without port");
  return /^[a-z0-9._-]{1,253}$|^\[[0-9a-f:.]{2,45}\]$/.test(value) && !value.endsWith("..")
    ? ok({ ...match.value, value: match.value.type === "exact" ? value.replace(/\.$/, "") : value })
    : no('a host name such as "shop.example" or "*.example"');
}

/** A block of addresses, kept as text. */
export function blockMatch(written: string): Result<string, string> {
  const block = parseBlock(written);
  return block.ok ? ok(written) : block;
}

/** A condition as it is written. */
export interface WrittenCondition {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** What is wrong with a condition: `at` names its member. */
export interface WrongCondition {
  readonly at: readonly ("key" | "values" | "notValues" | number)[];
  readonly expected: string;
  readonly message: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const printable = /^[^\x00-\x1f\x7f]+$/;

const headerKey = /^request\.headers\[([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256})\]$/;
const evidenceKey = "mesh.evidence";
/** Istio's keys about the end user, and what each is here. */
const userKeys = {
  "request.auth.audiences": "audiences",
  "request.auth.presenter": "presenter",
  "request.auth.principal": "requestPrincipal",
} as const;
const isUserKey = (key: string): key is keyof typeof userKeys => Object.hasOwn(userKeys, key);
/** `request.auth.claims[iss]`, `request.auth.claims[realm][roles]`. */
const claimKey = /^request\.auth\.claims((?:\[[^[\]]{1,256}\]){1,8})$/;
/** What a condition may ask for. */
export const conditionKeys = [
  "request.auth.audiences",
  "request.auth.claims[name]",
  "request.auth.presenter",
  "request.auth.principal",
  "request.headers[name]",
  "source.namespace",
  "source.principal",
  evidenceKey,
] as const;

/** Keys that Istio has and that are refused here, by what they begin with, and why. */
const refusedKeys: readonly (readonly [string, string])[] = [
  ["request.auth.claims", 'write each name in brackets, such as "request.auth.claims[realm][roles]"'],
  ["request.auth.", "the keys about end users are principal, audiences, presenter and claims[name]"],
  ["source.ip", "use ipBlocks of a source, in a policy for the Service of a Gateway"],
  ["remote.ip", "use ipBlocks of a source, in a policy for the Service of a Gateway"],
  ["source.serviceAccount", "use source.principal"],
  ["destination.", "a worker has one way in; use targetRefs"],
  ["connection.sni", "TLS ends before a worker; use hosts of an operation"],
  ["experimental.", "it is about Envoy's filters, and there is no Envoy"],
];

/** Headers whose values are secrets; a document is no place for those. */
const secretHeaders: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** One condition of `when` (Istio `Condition`), or the first thing that is wrong with it. */
export function conditionOf(written: WrittenCondition): Result<Condition, WrongCondition> {
  const { key, values, notValues } = written;
  const header = headerKey.exec(key)?.[1]?.toLowerCase();
  const wrongKey = keyFault(key, header);
  if (wrongKey !== undefined)
    return no({ at: ["key"], expected: `one of ${conditionKeys.join(", ")}`, message: wrongKey });
  if (values === undefined && notValues === undefined)
    return no({ at: [], expected: "values or notValues", message: "without values it says nothing" });
  const reader = readerFor(key, header);
  const read: { values?: readonly StringMatch[]; notValues?: readonly StringMatch[] } = {};
  for (const member of ["values", "notValues"] as const) {
    const given = written[member];
    if (given === undefined) continue;
    const matches: StringMatch[] = [];
    for (const [index, one] of given.entries()) {
      const match = reader(one);
      if (!match.ok)
        return no({ at: [member, index], expected: match.reason, message: `it must be ${match.reason}` });
      matches.push(match.value);
    }
    read[member] = matches;
  }
  if (header !== undefined) return ok({ type: "header", name: header, ...read });
  if (isUserKey(key)) return ok({ type: userKeys[key], ...read });
  const path = claimPath(key);
  if (path !== undefined) return ok({ type: "claim", path, ...read });
  if (key === evidenceKey) return ok({ type: "evidence", ...read });
  return ok({ type: key === "source.namespace" ? "namespace" : "principal", ...read });
}

/** The names in the brackets of a key about a claim. */
function claimPath(key: string): readonly string[] | undefined {
  const names = claimKey.exec(key)?.[1];
  return names?.slice(1, -1).split("][");
}

function keyFault(key: string, header: string | undefined): string | undefined {
  if (header !== undefined)
    return belongsToMesh(header) ? `the header ${header} is the mesh's own; use source.principal` : undefined;
  if (claimPath(key) !== undefined) return undefined;
  if (conditionKeys.some((known) => known === key && !known.endsWith("[name]"))) return undefined;
  const refused = refusedKeys.find(([start]) => key.startsWith(start));
  if (refused !== undefined) return `${key} is not supported: ${refused[1]}`;
  return `there is no key ${JSON.stringify(key)}${didYouMean(key, conditionKeys) || `; the keys are ${conditionKeys.join(", ")}`}`;
}

function readerFor(
  key: string,
  header: string | undefined,
): (written: string) => Result<StringMatch, string> {
  if (key === evidenceKey) return evidenceMatch;
  if (key === "source.namespace") return namespaceMatch;
  if (key === "source.principal") return principalMatch;
  if (key === "request.auth.principal") return requestPrincipalMatch;
  if (key.startsWith("request.auth.")) return claimMatch;
  return secretHeaders.has(header ?? "") ? presence : headerMatch;
}

const evidenceMatch = (written: string): Result<StringMatch, string> =>
  written === "binding" || written === "signature"
    ? ok({ type: "exact", value: written })
    : no(`binding or signature${didYouMean(written, ["binding", "signature"])}`);

function claimMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  return !match.ok || match.value.type === "present" || printable.test(match.value.value)
    ? match
    : no("a text without control characters");
}

const presence = (written: string): Result<StringMatch, string> =>
  written === "*"
    ? ok({ type: "present" })
    : no('"*", because its value is a secret, and documents are read by many');

function headerMatch(written: string): Result<StringMatch, string> {
  const match = wildcard(written);
  if (!match.ok || match.value.type === "present") return match;
  const { value } = match.value;
  return /^[\x20-\x7e\x80-\xff]+$/.test(value) && value.trim() === value
    ? match
    : no("a value that a header can have, without blanks around it");
}

/** Asterisks stand alone, first or last; elsewhere Istio would take them for letters, and people would not. */
function wildcard(written: string): Result<StringMatch, string> {
  const match = stringMatch(written);
  if (match.type === "present") return ok(match);
  return match.value === "" || match.value.includes("*")
    ? no("a value with one asterisk at most, first or last")
    : ok(match);
}

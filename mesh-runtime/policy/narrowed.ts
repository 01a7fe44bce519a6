import type { DocumentOf, PolicyDocument } from "./documents.ts";
import { narrowedMetadata } from "./narrowed-metadata.ts";
import { backendNames } from "./references.ts";
import type { Finding, Path } from "./source.ts";

/*
 * What can be understood and is refused all the same, because Gateway API's CRDs and Kubernetes refuse it. Earlier
 * versions of Tulle took some of it: in a document that is in force it goes on to mean what it meant, and a warning
 * tells; a document that is applied is refused.
 */

type HTTPRoute = DocumentOf<"HTTPRoute">;
type Rule = HTTPRoute["spec"]["rules"][number];
type Filter = NonNullable<Rule["filters"]>[number];
type Session = NonNullable<Rule["sessionPersistence"]>;

/** Everything in a document that is understood and not taken from anybody any more. */
export function* narrowed(document: PolicyDocument): Generator<Finding> {
  yield* narrowedMetadata(document);
  if (document.kind === "HTTPRoute") yield* inRoute(document);
  if (document.kind === "Gateway") yield* inGateway(document);
  if (document.kind !== "XBackendTrafficPolicy") return;
  yield* unsaidSession(document.spec.sessionPersistence, ["spec", "sessionPersistence"]);
}

function* inRoute(route: HTTPRoute): Generator<Finding> {
  for (const { ref, path } of backendNames(route)) {
    if (ref.group !== "" || ref.kind !== "Service" || ref.port !== undefined) continue;
    yield {
      path: [...path, "port"],
      expected: "a port from 1 to 65535",
      found: "nothing",
      message: "a reference to a Service names its port; write port: 80, or one that the Service names",
    };
  }
  for (const [index, rule] of route.spec.rules.entries()) yield* inRule(rule, ["spec", "rules", index]);
}

function* inRule(rule: Rule, at: Path): Generator<Finding> {
  const { matches, filters = [], backendRefs = [], sessionPersistence } = rule;
  for (const [index, { headers = [] }] of matches.entries()) {
    for (const [header, { value }] of headers.entries()) {
      yield* blanks(value, [...at, "matches", index, "headers", header, "value"]);
    }
  }
  yield* inFilters(filters, [...at, "filters"]);
  for (const [index, { filters: own = [] }] of backendRefs.entries()) {
    yield* inFilters(own, [...at, "backendRefs", index, "filters"]);
  }
  yield* unsaidSession(sessionPersistence, [...at, "sessionPersistence"]);
}

function* inFilters(filters: readonly Filter[], at: Path): Generator<Finding> {
  for (const [index, filter] of filters.entries()) {
    for (const type of ["requestHeaderModifier", "responseHeaderModifier"] as const) {
      for (const action of ["set", "add"] as const) {
        for (const [header, { value }] of (filter[type]?.[action] ?? []).entries()) {
          yield* blanks(value, [...at, index, type, action, header, "value"]);
        }
      }
    }
  }
}

/** The CRD's pattern for values of headers and for expressions alike, which could backtrack without bound as it is. */
function* blanks(value: string, path: Path): Generator<Finding> {
  const isSpoken = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value);
  if (isSpoken && !/[\t ]{2}/.test(value)) return;
  yield {
    path,
    expected: "visible ASCII characters with single blanks between them at most",
    found: JSON.stringify(value.slice(0, 80)),
    message: isSpoken
      ? "blanks stand alone in a header's value, as Gateway API has it; write one, or, in a regular expression, [ ]{2}"
      : "an expression for a header is written in visible ASCII characters, as Gateway API has it; write others as \\x{e9}, and a blank at its end as [ ]",
  };
}

function* unsaidSession(session: Session | undefined, path: Path): Generator<Finding> {
  if (session === undefined || session.type !== "Cookie") return;
  const { cookie, sessionName, cookieConfig } = session;
  if (cookie !== undefined || sessionName !== undefined || cookieConfig !== undefined) return;
  yield {
    path: [...path, "cookie"],
    expected: "cookie",
    found: "nothing",
    message:
      "a session of the type Cookie says which; write cookie: {}, for a name that the rule has for itself, or give it a name",
  };
}

function* inGateway(gateway: DocumentOf<"Gateway">): Generator<Finding> {
  for (const [index, { tls, allowedRoutes }] of gateway.spec.listeners.entries()) {
    const at = ["spec", "listeners", index];
    if (tls !== undefined && (tls.certificateRefs ?? []).length === 0) {
      yield {
        path: [...at, "tls", "certificateRefs"],
        expected: "a certificate for the mode Terminate",
        found: "none",
        message:
          "tls that is ended here has a certificate; name one in certificateRefs, or leave tls out: the platform has the certificates",
      };
    }
    if (allowedRoutes.namespaces.from !== "None") continue;
    yield {
      path: [...at, "allowedRoutes", "namespaces", "from"],
      expected: "one of Same, All, Selector",
      found: '"None"',
      message:
        "None is a word for allowedListeners alone; remove the listener, or use a Selector that fits no namespace",
    };
  }
}

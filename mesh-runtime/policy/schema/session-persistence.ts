import type * as v from "valibot";
import { parseDuration } from "../../foundation/duration.ts";
import { belongsToMesh } from "../../foundation/headers.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  optional,
  type Schema,
  strict,
  text,
  unsupported,
  value,
} from "./fields.ts";

/** Headers that mean something to HTTP itself, or that others write: a session in one would break the message. */
const taken: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "keep-alive",
  "location",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

/** A cookie's name (RFC 6265 §4.1.1); the prefixes promise attributes that only some cookies have. */
const cookieName = (): Schema<string> =>
  value<string>(
    "the name of a cookie, of at most 256 characters",
    (input) => typeof input === "string" && isToken(input) && !isPromise(input),
    (input) =>
      typeof input === "string" && isPromise(input)
        ? "browsers take a cookie with this prefix over https alone, and with some attributes alone; choose another name"
        : "",
  );

/** RFC 9110 §5.6.2; Gateway API bounds it. */
const isToken = (name: string): boolean => name.length <= 256 && /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(name);

const isPromise = (name: string): boolean => /^__(?:host|secure)-/i.test(name);

/** A duration that must not be 0: a session of no time is none. */
const timeout = (): Schema<string> =>
  value<string>('a duration above 0, such as "1h"', (input) => {
    const parsed = typeof input === "string" ? parseDuration(input) : undefined;
    return parsed?.ok === true && parsed.value > 0;
  });

const lifetimeType = defaulted(choice(["Session", "Permanent"]), "Session");
const aboutLifetime =
  "`Session`: until the browser is closed; `Permanent`: for the absoluteTimeout, which it needs.";

const cookie = strict({
  name: about(optional(cookieName()), "Its name; otherwise one that the rule has for itself."),
  lifetimeType: about(lifetimeType, aboutLifetime),
  path: about(
    defaulted(text("a path that begins with /, without semicolons", /^\/[\x21-\x3a\x3c-\x7e]*$/, 1_024), "/"),
    "Its `Path`: below it browsers send it.",
  ),
});

const header = strict({
  name: about(
    value<string>("the name of a header that nothing else uses", isFree),
    "Its name; clients send back what an answer said there.",
  ),
});

function isFree(input: unknown): boolean {
  return (
    typeof input === "string" && isToken(input) && !taken.has(input.toLowerCase()) && !belongsToMesh(input)
  );
}

/**
 * `SessionPersistence` (GEP-1619), in the form that Gateway API has now (`cookie`, `header`), and in the one that
 * it had up to 1.6 (`sessionName`, `cookieConfig`).
 */
export const sessionPersistence = checked(
  strict({
    type: about(
      defaulted(choice(["Cookie", "Header"]), "Cookie"),
      "Where a session is kept: browsers send cookies back by themselves.",
    ),
    absoluteTimeout: about(optional(timeout()), "When a session ends, whatever happens; otherwise never."),
    cookie: about(optional(cookie), "Of the type `Cookie`."),
    header: about(optional(header), "Of the type `Header`."),
    sessionName: about(optional(cookieName()), "Up to 1.6 of Gateway API: the name of the cookie or header."),
    cookieConfig: about(
      optional(strict({ lifetimeType: about(lifetimeType, aboutLifetime) })),
      "Up to 1.6 of Gateway API: `cookie`.",
    ),
    idleTimeout: unsupported("no longer in Gateway API; write absoluteTimeout"),
  }),
  function* ({
    type,
    absoluteTimeout,
    cookie: one,
    header: other,
    sessionName,
    cookieConfig,
  }): Generator<Fault> {
    const wrong = type === "Cookie" ? (["header", other] as const) : (["cookie", one] as const);
    if (wrong[1] !== undefined) yield besideType(wrong[0], type);
    if (type === "Header" && cookieConfig !== undefined) yield besideType("cookieConfig", type);
    const now = one !== undefined || other !== undefined;
    if (now && (sessionName !== undefined || cookieConfig !== undefined)) {
      yield {
        path: [sessionName === undefined ? "cookieConfig" : "sessionName"],
        expected: "one of the two forms",
        found: "both",
        message:
          "this is the form of Gateway API up to 1.6, and cookie and header are the present one; keep one of the two",
      };
    }
    if (type === "Header" && other === undefined && sessionName === undefined) {
      yield {
        path: ["header"],
        expected: "header.name",
        found: "nothing",
        message: "clients must know the header that they send back; write header.name",
      };
    }
    if (type === "Header" && sessionName !== undefined && !isFree(sessionName)) {
      yield {
        path: ["sessionName"],
        expected: "the name of a header that nothing else uses",
        found: JSON.stringify(sessionName),
        message: "this header means something else; choose another name",
      };
    }
    const lifetime = (one ?? cookieConfig)?.lifetimeType;
    if (lifetime !== "Permanent" || absoluteTimeout !== undefined) return;
    yield {
      path: ["absoluteTimeout"],
      expected: "a duration beside lifetimeType: Permanent",
      found: "nothing",
      message: "a permanent cookie lasts for the absoluteTimeout; write one",
    };
  },
);

export type SessionPersistence = v.InferOutput<typeof sessionPersistence>;

const besideType = (member: string, type: string): Fault => ({
  path: [member],
  expected: `no ${member} with type ${type}`,
  found: member,
  message: `${member} says nothing about a session of the type ${type}; remove it, or change the type`,
});

import { routeDefaults } from "../defaults.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  flag,
  integer,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  text,
  value,
} from "./fields.ts";
import { isPort } from "./metadata.ts";

/** Gateway API `CORSOrigin`; the port is judged apart. */
const originForm = /^https?:\/\/(?:\*|(?:\*\.)?(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+)(?::(?<port>[0-9]{1,5}))?$/;

const origin = (): Schema<string> =>
  value<string>(
    '"*", or an origin such as https://app.example.com or https://*.example.com:8443, without path',
    (input) => {
      if (typeof input !== "string" || input.length > 253) return false;
      if (input === "*") return true;
      const form = originForm.exec(input);
      return form !== null && (form.groups?.port === undefined || isPort(Number(form.groups.port)));
    },
  );

/**
 * The name of a header, or `*`. The mesh's own may stand here too: that a script may send `traceparent` does not
 * make anybody believe it.
 */
const nameOrAny = (): Schema<string> => text('a header name, or "*"', /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 256);

/** Gateway API `HTTPMethodWithWildcard`. */
const methods = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "*",
] as const;

/** No value twice (Gateway API: `listType=set`), and where `alone`, none beside a `*`, which says everything already. */
const set = (item: Schema<string>, most: number, what: string, { alone }: { alone: boolean }) =>
  checked(list(item, 0, most), function* (values): Generator<Fault> {
    // Names that differ in case alone are two to the CRD, and say the same thing twice.
    yield* repeated(values, (each) => each, what);
    if (!alone || values.length < 2 || !values.includes("*")) return;
    yield {
      path: [values.indexOf("*")],
      expected: `"*" alone`,
      found: `"*" among ${values.length}`,
      message: `"*" means every ${what}, so the others say nothing; keep one or the others`,
    };
  });

/** Gateway API `HTTPCORSFilter`. */
export const cors = strict({
  allowOrigins: about(
    optional(set(origin(), 64, "origin", { alone: true })),
    'Origins whose scripts may read the answers: "*", or scheme, host and, if it is not the scheme\'s own, port; a host that begins with "*" takes in every label in its place. None: no origin.',
  ),
  allowCredentials: about(
    optional(flag()),
    "Whether they may send cookies and be told with them; false if left out.",
  ),
  allowMethods: about(
    optional(set(choice(methods), 9, "method", { alone: true })),
    'Methods beside GET, HEAD and POST, or "*".',
  ),
  allowHeaders: about(
    optional(set(nameOrAny(), 64, "header", { alone: true })),
    'Request headers that scripts may set, or "*".',
  ),
  exposeHeaders: about(
    optional(set(nameOrAny(), 64, "header", { alone: false })),
    'Response headers that scripts may read, or "*".',
  ),
  maxAge: about(
    defaulted(integer(1, 2_147_483_647), routeDefaults.corsMaxAge),
    "Seconds for which a browser may remember the answer to a preflight.",
  ),
});

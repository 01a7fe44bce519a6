import { routeDefaults } from "../defaults.ts";
import { about, checked, defaulted, type Fault, integer, optional, strict } from "./fields.ts";
import { group, kindName, label, port, subdomain } from "./metadata.ts";

/** What every reference to a backend says (Gateway API `BackendObjectReference`). */
export const backendName = {
  group: about(defaulted(group(), ""), "Group of the kind; empty for a Service of the mesh."),
  kind: about(defaulted(kindName(), "Service"), "Kind of the backend."),
  name: about(subdomain(), "Name of the Service."),
  namespace: about(optional(label()), "Its namespace; otherwise the route's."),
  port: about(
    optional(port()),
    "A port that the Service names, or any if it names none: a worker has one way in. With the group `mesh.tulle.dev` it may be left out.",
  ),
};

/** Gateway API bounds it by its type. */
const most = 2_147_483_647;

const fraction = checked(
  strict({
    numerator: about(integer(0, most), "How many …"),
    denominator: about(
      defaulted(integer(1, most), routeDefaults.mirrorDenominator),
      "… of so many requests.",
    ),
  }),
  function* ({ numerator, denominator }): Generator<Fault> {
    if (numerator <= denominator) return;
    yield {
      path: ["numerator"],
      expected: `at most the denominator, ${denominator}`,
      found: `${numerator}`,
      message: `no more than all requests can be mirrored; write at most the denominator, ${denominator}`,
    };
  },
);

/** Gateway API `HTTPRequestMirrorFilter`. */
export const mirror = checked(
  strict({
    backendRef: about(strict(backendName), "Where the copies go."),
    percent: about(
      optional(integer(0, 100)),
      "Share of requests that are mirrored, of 100; all, if nothing is said.",
    ),
    fraction: about(optional(fraction), "The same, where a hundredth is too coarse."),
  }),
  function* (given): Generator<Fault> {
    if (given.percent === undefined || given.fraction === undefined) return;
    yield {
      path: ["fraction"],
      expected: "either percent or fraction",
      found: "both",
      message: "percent and fraction say the same thing; keep one of the two",
    };
  },
);

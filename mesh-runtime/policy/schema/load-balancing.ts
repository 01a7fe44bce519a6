import { parseDuration } from "../../foundation/duration.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  duration,
  type Fault,
  flag,
  optional,
  strict,
  text,
} from "./fields.ts";

const name = (what: string) =>
  text(`the name of a ${what}, of at most 256 characters`, /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 256);

const hashOn = checked(
  strict({
    header: about(optional(name("header")), "The value of this header."),
    cookie: about(optional(name("cookie")), "The value of this cookie, which the application sets."),
    query: about(optional(name("query parameter")), "The first value of this query parameter."),
    sourceAddress: about(
      optional(flag()),
      "The address of the client, as the gateway or whoever passed the request on tells it in `x-forwarded-for`.",
    ),
  }),
  function* (on): Generator<Fault> {
    const named = Object.entries(on).filter(([, value]) => value !== undefined && value !== false);
    if (named.length === 1) return;
    yield {
      path: [],
      expected: "one of header, cookie, query and sourceAddress: true",
      found: named.length === 0 ? "none" : named.map(([member]) => member).join(", "),
      message:
        "requests are kept together by one thing; write one of header, cookie, query, sourceAddress: true",
    };
  },
);

const elsewhere = (here: string): string => `called ${here} here`;

/** How requests are balanced among the endpoints of a Service; in the words of Envoy's policies and of Istio's DestinationRule. */
export const loadBalancing = checked(
  strict({
    algorithm: about(
      defaulted(
        choice(["LeastRequest", "RoundRobin", "Random", "RingHash"], {
          LEAST_REQUEST: elsewhere("LeastRequest"),
          LEAST_CONN: elsewhere("LeastRequest"),
          ROUND_ROBIN: elsewhere("RoundRobin"),
          RANDOM: elsewhere("Random"),
          RING_HASH: elsewhere("RingHash"),
          MAGLEV: "not supported; write RingHash, which moves as little",
          Maglev: "not supported; write RingHash, which moves as little",
          PASSTHROUGH: "not supported: an endpoint is what the Service names",
        }),
        "LeastRequest",
      ),
      "`LeastRequest`: of two that are drawn, the one with the lower latency for all requests under way; `RoundRobin`; `Random`; `RingHash`: what is alike in `hashOn` goes to one endpoint.",
    ),
    hashOn: about(
      optional(hashOn),
      "By what `RingHash` keeps requests together; requests without it go anywhere.",
    ),
    slowStart: about(
      optional(duration()),
      "How long the weight of an endpoint that is new or works again takes to grow to the whole.",
    ),
    locality: about(
      optional(
        strict({
          prefer: about(
            optional(flag()),
            "Whether callers use the endpoints of their zone, then of their region, before others of the same priority, as long as these work.",
          ),
        }),
      ),
      "What the localities of endpoints mean.",
    ),
  }),
  function* ({ algorithm, hashOn: on, slowStart }): Generator<Fault> {
    const hashes = algorithm === "RingHash";
    if (hashes && on === undefined) {
      yield {
        path: ["hashOn"],
        expected: "hashOn beside RingHash",
        found: "nothing",
        message: "RingHash must know by what requests are kept together; write hashOn",
      };
    }
    if (!hashes && on !== undefined) {
      yield {
        path: ["hashOn"],
        expected: `no hashOn beside ${algorithm}`,
        found: "hashOn",
        message: `${algorithm} keeps no requests together; write algorithm: RingHash, or remove hashOn`,
      };
    }
    const parsed = slowStart === undefined ? undefined : parseDuration(slowStart);
    if (!hashes || !parsed?.ok || parsed.value === 0) return;
    yield {
      path: ["slowStart"],
      expected: "no slowStart beside RingHash",
      found: JSON.stringify(slowStart),
      message: "a weight that grows would move what RingHash keeps together; remove slowStart",
    };
  },
);

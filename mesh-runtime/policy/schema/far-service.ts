import type { Fault } from "./fields.ts";

interface Address {
  readonly binding?: unknown;
  readonly url?: unknown;
  readonly dispatch?: unknown;
  readonly service?: unknown;
}

interface Written {
  readonly trustDomain?: string | undefined;
  readonly evidence?: string | undefined;
  readonly endpoint?: Address | undefined;
  readonly endpoints?: readonly Address[] | undefined;
}

/** Members that say how a worker treats what arrives, and what they would say of one that another mesh runs. */
const inboundMembers = ["mode", "timeout", "maxInFlight", "replay", "virtual", "binding"] as const;

/**
 * A Service of another mesh is an address and a name: calls to it are signed and leave over HTTPS. How it treats them
 * is that mesh's to say, and no binding leads there for which the platform would vouch.
 */
export function* farService(given: Written): Generator<Fault> {
  const { trustDomain, evidence, endpoint, endpoints } = given;
  if (trustDomain === undefined) return;
  for (const member of inboundMembers) {
    if ((given as Readonly<Record<string, unknown>>)[member] === undefined) continue;
    yield {
      path: [member],
      expected: `no ${member} beside trustDomain`,
      found: member,
      message: `the mesh of ${trustDomain} runs this Service, and ${member} is its to say; remove it`,
    };
  }
  if (evidence === "binding") {
    yield {
      path: ["evidence"],
      expected: "signature, or nothing",
      found: evidence,
      message: "no platform vouches for a caller to another mesh; remove it",
    };
  }
  const places = endpoints ?? (endpoint === undefined ? [] : [endpoint]);
  if (places.length === 0) {
    yield {
      path: ["trustDomain"],
      expected: "an endpoint with a url beside trustDomain",
      found: "none",
      message: "a Service of another mesh is reached at an address; write endpoint.url",
    };
  }
  for (const [index, { binding, dispatch, service }] of places.entries()) {
    if (binding === undefined && dispatch === undefined && service === undefined) continue;
    yield {
      path: endpoints === undefined ? ["endpoint"] : ["endpoints", index],
      expected: "a url and nothing else",
      found: "another way",
      message: "a Service of another mesh is reached at an address; write url alone",
    };
  }
}

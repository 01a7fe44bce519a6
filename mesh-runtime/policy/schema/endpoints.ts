import {
  about,
  checked,
  type Fault,
  integer,
  list,
  optional,
  type Schema,
  strict,
  text,
  value,
} from "./fields.ts";
import { label } from "./metadata.ts";

/** The binding to the control plane that every worker has; no Service may be called so. */
export const controlBinding = "MESH";

/** A name in `env`. */
export const bindingName = (): Schema<string> =>
  value<string>(
    "the name of a binding, such as PAYMENTS",
    (input) =>
      typeof input === "string" && /^[A-Za-z_$][A-Za-z0-9_$]{0,63}$/.test(input) && input !== controlBinding,
    (input) =>
      input === controlBinding
        ? `${controlBinding} is the binding to the control plane; choose another name`
        : "",
  );

/** An origin that requests can be signed for: `https`, or `http` to this machine, and nothing after the host. */
const origin = (): Schema<string> =>
  value<string>(
    "an origin such as https://payments.example.com, without path, user and query",
    (input) => typeof input === "string" && isOrigin(input),
  );

function isOrigin(written: string): boolean {
  if (!URL.canParse(written)) return false;
  const { protocol, hostname, origin: canonical } = new URL(written);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  const bare = written.endsWith("/") ? written.slice(0, -1) : written;
  return (protocol === "https:" || (protocol === "http:" && local)) && bare.toLowerCase() === canonical;
}

/** A worker of a dispatch namespace (Workers for Platforms). */
const dispatch = strict({
  binding: about(bindingName(), "The dispatch namespace in the callers' `env`."),
  worker: about(
    text(
      "the name of a worker of at most 255 letters, digits, hyphens and underscores",
      /^[A-Za-z0-9_-]+$/,
      255,
    ),
    "The worker's name in that namespace.",
  ),
});

const address = {
  binding: about(optional(bindingName()), "A service binding in the callers' `env`."),
  url: about(
    optional(origin()),
    "An origin to fetch from; beside a binding, for callers that have no bindings.",
  ),
  dispatch: about(
    optional(dispatch),
    "A worker of a dispatch namespace; only signed calls reach it, because no binding speaks for the caller.",
  ),
};

/** The one place of a Service. */
export const endpoint = checked(strict(address), function* (one): Generator<Fault> {
  yield* oneAddress(one, "binding, url, both of them, or dispatch");
});

/** The name of a place: a region or a zone of one, such as a Cloudflare location. */
const placeName = (): Schema<string> =>
  text("a name of at most 63 letters, digits, hyphens, dots and underscores", /^[A-Za-z0-9._-]+$/, 63);

const locality = strict({
  region: about(placeName(), "Its region."),
  zone: about(optional(placeName()), "Its zone within the region; on Cloudflare a location such as `FRA`."),
});

const member = checked(
  strict({
    name: about(
      optional(label()),
      "What sessions and logs call it; otherwise its service, binding, worker or host.",
    ),
    ...address,
    service: about(
      optional(label()),
      "The worker of another Service of this namespace: reached as that one is, and signed for as that one demands.",
    ),
    locality: about(optional(locality), "Where it runs; callers nearby prefer it."),
    priority: about(
      optional(integer(0, 127)),
      "`0` is used first; the next one once all of the level before it fail.",
    ),
    weight: about(
      optional(integer(0, 1_000_000)),
      "Share of requests within its level: weight over the sum of weights; `0`: only sessions that are there.",
    ),
  }),
  function* (one): Generator<Fault> {
    yield* oneAddress(one, "one of binding (with or without url), url, dispatch and service");
  },
);

interface Written {
  readonly binding?: string | undefined;
  readonly url?: string | undefined;
  readonly dispatch?: { readonly binding: string; readonly worker: string } | undefined;
  readonly service?: string | undefined;
}

/** An endpoint leads to one place; a URL beside a binding is the same place for other callers. */
function* oneAddress({ binding, url, dispatch: to, service }: Written, expected: string): Generator<Fault> {
  const ways = [
    ...(binding === undefined && url === undefined ? [] : [binding === undefined ? "url" : "binding"]),
    ...(to === undefined ? [] : ["dispatch"]),
    ...(service === undefined ? [] : ["service"]),
  ];
  if (ways.length === 1) return;
  const message =
    ways.length === 0
      ? `an endpoint without an address leads nowhere; write ${expected}`
      : `an endpoint leads to one place, and ${ways.join(" and ")} are ${ways.length}; make an entry of endpoints of each`;
  yield { path: [], expected, found: ways.length === 0 ? "neither" : ways.join(", "), message };
}

/** The places of a Service that has several. */
export const endpoints = checked(list(member, 1, 64), function* (all): Generator<Fault> {
  const seen = new Map<string, number>();
  for (const [index, one] of all.entries()) {
    const name = endpointName(one);
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      yield {
        path: [index],
        expected: "endpoints of different names",
        found: `${JSON.stringify(name)} again`,
        message: `entry ${earlier} is called ${JSON.stringify(name)} as well; remove one, or give each a name`,
      };
    }
    seen.set(name, earlier ?? index);
  }
  if (all.some(({ weight }) => weight !== 0)) return;
  yield {
    path: [],
    expected: "an endpoint with a weight above 0",
    found: "weights of 0 alone",
    message: "no endpoint would be used; give one a weight above 0",
  };
});

/** What an endpoint is called: as written, or by where it leads. It stays when others come and go, as sessions need. */
export function endpointName({
  name,
  service,
  binding,
  dispatch: to,
  url,
}: Written & {
  readonly name?: string | undefined;
}): string {
  if (name !== undefined) return name;
  if (service !== undefined) return service;
  if (binding !== undefined) return binding;
  if (to !== undefined) return `${to.binding}/${to.worker}`;
  return url === undefined ? "" : new URL(url).host;
}

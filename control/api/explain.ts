import { outsideHeaders } from "@tulle/mesh-runtime/foundation/outside-headers.ts";
import type { Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { no, ok } from "@tulle/mesh-runtime/foundation/result.ts";
import { explainCall, explainEntry, type Question } from "@tulle/mesh-runtime/policy/explain.ts";
import type { CircuitSeen, Explanation, Surroundings } from "@tulle/mesh-runtime/policy/explanation.ts";
import { load } from "@tulle/mesh-runtime/policy/load.ts";
import type { Loaded } from "@tulle/mesh-runtime/policy/loaded.ts";
import { didYouMean } from "@tulle/mesh-runtime/policy/nearest.ts";
import { hostMatches } from "@tulle/mesh-runtime/routing/host-match.ts";
import { entering } from "@tulle/mesh-runtime/routing/listeners.ts";
import type { Env } from "../env.ts";
import { policyStore, serviceObject } from "../objects.ts";
import type { ListenerView, ServiceView } from "../policy-store/shelf.ts";
import { parseService } from "../service-key.ts";
import { list, object, optional, text } from "../shape.ts";
import { inTurns } from "../turns.ts";
import type { ExplainAnswer, ExplainRequest } from "./contract.ts";
import { gatewayNamed, noSuchGateway } from "./gateway-name.ts";
import { bodyOf, type Handlers } from "./handler.ts";
import { malformed, missing } from "./problems.ts";

/** RFC 9110 §5.6.2: of methods and field names. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5, without what `Headers` would trim. */
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

const explainShape = object<ExplainRequest>({
  from: optional(text(127)),
  via: optional(text(192)),
  method: text(64, token),
  url: text(8_192),
  headers: list(
    object<{ name: string; value: string }>({ name: text(256, token), value: text(8_192, fieldValue) }),
    64,
  ),
});

/** What becomes of a request: asked of the policy that its sender runs, as the sender loads it. */
export const explain: Handlers<"POST /api/explain"> = {
  "POST /api/explain": async (context) => {
    const body = await bodyOf(context, explainShape);
    if (body instanceof Response) return body;
    const url = URL.canParse(body.url) ? new URL(body.url) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol))
      return malformed("url must be an http or https URL with a host, such as http://payments/charge.");
    // A password must not come back in an answer that somebody pastes elsewhere.
    if (url.username !== "" || url.password !== "")
      return malformed("url must be without user and password.");
    if (body.from !== undefined && body.via !== undefined)
      return malformed(
        "from and via exclude each other: a workload calls, or somebody outside comes in by a gateway.",
      );
    const asked: Asked = { method: normalMethod(body.method), url, headers: new Headers() };
    for (const { name, value } of body.headers) asked.headers.append(name, value);
    const answer =
      body.from === undefined
        ? await fromOutside(context.env, body.via, asked)
        : await fromWorkload(context.env, body.from, asked);
    return answer.ok ? context.json(answer.value) : answer.reason;
  },
};

interface Asked extends Question {
  readonly headers: Headers;
}

type Answered = Result<ExplainAnswer, Response>;

/** Fetch §2.2.1: what `new Request` makes of a method. */
const normalMethod = (method: string): string =>
  /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;

async function fromWorkload(env: Env, from: string, asked: Asked): Promise<Answered> {
  const { services = [] } = await policyStore(env).view(-1);
  const service = parseService(from);
  const known = services.find((each) => each.service === service);
  if (service === undefined || known === undefined)
    return no(missing(`There is no service ${from}${didYouMean(from, namesOf(services)) || "."}`));
  if (known.virtual) return no(missing(`${service} has no worker, so nobody calls as ${service}.`));
  const loaded = await policyOf(env, service);
  const { hostname } = asked.url;
  const destination = loaded.destinationByHost(hostname);
  if (destination === undefined) return no(missing(unknownHost(loaded, hostname)));
  return withCircuits(env, loaded, services, (surroundings) =>
    explainCall(loaded, destination, asked, surroundings),
  );
}

/** Names as people write them: those in `default` without it too. */
const namesOf = (services: readonly ServiceView[]): readonly string[] =>
  services.flatMap(({ service }) =>
    service.startsWith("default/") ? [service.slice("default/".length), service] : [service],
  );

function unknownHost({ snapshot }: Loaded, host: string): string {
  const { workload, destinations } = snapshot;
  const elsewhere = Object.values(destinations).find(({ key }) => key.endsWith(`/${host}`));
  const hosts = Object.values(destinations).flatMap((each) => each.hosts);
  const meant =
    elsewhere === undefined ? didYouMean(host, hosts) : `; did you mean "${elsewhere.hosts[0] ?? ""}"?`;
  return `No service has the host "${host}" for ${workload}${meant === "" ? "." : meant} A request to a host that is no service's leaves the mesh as it is.`;
}

async function fromOutside(env: Env, via: string | undefined, asked: Asked): Promise<Answered> {
  const host = asked.headers.get("host");
  // As with curl: who says another host than the URL's is let in by what it says.
  const url = new URL(asked.url);
  if (host !== null) url.host = host;
  const all = await policyStore(env).listeners();
  const wanted = via === undefined ? undefined : gatewayNamed(via, all);
  if (via !== undefined && wanted === undefined) return no(noSuchGateway(via, all));
  const taking = all.filter(
    ({ listener }) =>
      (wanted === undefined || listener.name.startsWith(`${wanted.gateway}/`)) &&
      hostMatches(listener.hostname, url.hostname),
  );
  const workers = [...new Set(taking.map(({ worker }) => worker))];
  const [worker] = workers;
  if (worker === undefined) return no(missing(await noListener(env, wanted?.gateway, url.hostname)));
  if (workers.length > 1) {
    const names = [...new Set(taking.map(({ listener }) => gatewayOf(listener.name)))].join(", ");
    return no(malformed(`Several gateways let in ${url.hostname} (${names}): say which with via.`));
  }
  const loaded = await policyOf(env, worker);
  const target = entering(loaded.listenerFor, url);
  if (target === undefined) return no(missing(onOtherPorts(taking, url)));
  // Only an operator asks here, so the address may be anybody's.
  const client = asked.headers.get("cf-connecting-ip");
  const question = { ...asked, url, headers: outsideHeaders(asked.headers, url, client) };
  const { services = [] } = await policyStore(env).view(-1);
  const answered = await withCircuits(env, loaded, services, (surroundings) =>
    explainEntry(loaded, target, question, surroundings),
  );
  const notes = [
    ...elsewhere(target.destination, wanted),
    ...(via === undefined ? sameName(services, url.hostname) : []),
  ];
  return answered.ok ? ok({ ...answered.value, notes: [...answered.value.notes, ...notes] }) : answered;
}

const gatewayOf = (listener: string): string => listener.slice(0, listener.lastIndexOf("/"));

/** A listener that was named and does not get the request: another one has the more specific hostname, or the port. */
function elsewhere(
  listener: string,
  wanted: { readonly gateway: string; readonly listener?: string } | undefined,
): readonly string[] {
  if (wanted === undefined) return [];
  const name = wanted.listener === undefined ? wanted.gateway : `${wanted.gateway}/${wanted.listener}`;
  if (`${listener}/`.startsWith(`${name}/`)) return [];
  return [
    `It comes in at ${listener}, not at ${name}: that one's hostname is more specific, or it has the URL's port.`,
  ];
}

function sameName(services: readonly ServiceView[], host: string): readonly string[] {
  const named = services.find(({ service }) => service.endsWith(`/${host}`));
  if (named === undefined) return [];
  return [`${named.service} is a service of the mesh as well; for a call from inside, say who calls.`];
}

async function noListener(env: Env, gateway: string | undefined, host: string): Promise<string> {
  const { services = [] } = await policyStore(env).view(-1);
  const inside = sameName(services, host).map((sentence) => ` ${sentence}`);
  const where = gateway === undefined ? "any gateway" : `the gateway ${gateway}`;
  return `No listener of ${where} takes the host "${host}".${inside.join("")}`;
}

/** Listeners take the host, and none of them the port, which others listen to. */
function onOtherPorts(taking: readonly ListenerView[], { hostname, protocol }: URL): string {
  const others = taking.map(({ listener }) => `${listener.name} on port ${listener.port}`).join(", ");
  return `No listener takes the host "${hostname}" on the port of this ${protocol} URL, which others listen to; ${others} does.`;
}

/** The policy that a service runs, or shall run. */
async function policyOf(env: Env, service: string): Promise<Loaded> {
  const found = await policyStore(env).snapshot(service);
  if (found === undefined) throw new Error(`${service} has no snapshot although it has a worker`);
  const loaded = await load(found.text, found, service);
  if (!loaded.ok) throw new Error(loaded.reason);
  return loaded.value;
}

/** Explains once to know the backends, and again with what is known of their circuits. */
async function withCircuits(
  env: Env,
  { epoch }: Loaded,
  services: readonly ServiceView[],
  explained: (surroundings: Surroundings) => Explanation,
): Promise<Answered> {
  const judges = new Map(
    services.flatMap(({ spiffeId, virtual, access }) => (virtual ? [] : [[spiffeId, access] as const])),
  );
  const access: Surroundings["access"] = (spiffeId) => judges.get(spiffeId);
  const now = Date.now();
  const ages = await policyStore(env).ages("HTTPRoute");
  const { backends } = explained({ now, access, circuit: () => undefined });
  const asked = backends.filter(({ endpoints }) => endpoints.length > 0).map(({ service }) => service);
  const seen = new Map(
    await inTurns([...new Set(asked)], async (service) => [service, await circuitOf(env, service)] as const),
  );
  return ok({ epoch, ...explained({ now, access, ages, circuit: (service) => seen.get(service) }) });
}

async function circuitOf(env: Env, service: string): Promise<CircuitSeen | undefined> {
  try {
    const { circuit } = await serviceObject(env, service).recent(1_000);
    return circuit && { state: circuit.state, sinceMs: circuit.sinceMs };
  } catch {
    // An object that is being moved or is overloaded: the rest of the explanation is true without it.
    return undefined;
  }
}

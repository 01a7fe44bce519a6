import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { explainCall, explainEntry } from "../../../mesh-runtime/policy/explain.ts";
import type { Candidate, Explanation, Surroundings } from "../../../mesh-runtime/policy/explanation.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded, LoadedDestination } from "../../../mesh-runtime/policy/loaded.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import type { Rule } from "../../../mesh-runtime/routing/words.ts";
import { documents, entry, gateway, policy, route, service } from "./writing.ts";

/** A mesh in which a request can end in every way. */
export const texts = [
  service("web"),
  service("shop", "{virtual: true}"),
  service("v1"),
  service("v2", "{evidence: binding}"),
  service("alone"),
  service("empty", "{virtual: true}"),
  service("gateway"),
  service("teller", "{}", "money"),
  service("billing", "{virtual: true}", "money"),
  policy(
    "AuthorizationPolicy",
    "web-may",
    "{targetRefs: [{kind: Service, name: v1}, {kind: Service, name: v2}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/web]}}]}]}",
  ),
  policy(
    "AuthorizationPolicy",
    "no-deleting",
    "{action: DENY, targetRefs: [{kind: Service, name: v2}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}",
  ),
  route(
    "shop",
    "name: shop",
    `[
      {name: charge, matches: [{path: {value: /charge}, method: POST}], timeouts: {request: 2s}, retry: {codes: [503], attempts: 2}, backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]},
      {name: refund, matches: [{path: {value: /charge/refund}, headers: [{name: X-Tenant, value: b}]}], backendRefs: [{name: v1, port: 80}]},
      {name: move, matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}}]},
      {name: change, matches: [{path: {value: /change}}], filters: [
        {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: "1"}], remove: [X-B]}},
        {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}}},
        {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: X-C, value: "3"}]}}],
        backendRefs: [{name: v1, port: 80}]},
      {name: nobody, matches: [{path: {value: /nobody}}]},
      {name: half, matches: [{path: {value: /half}}], backendRefs: [{name: v1, port: 80}, {name: empty, port: 80}]},
      {name: off, matches: [{path: {value: /off}}], backendRefs: [{name: v1, port: 80, weight: 0}]}
    ]`,
  ),
  route("billing", "name: billing", "[{backendRefs: [{name: teller, port: 80}]}]", "money"),
  gateway(
    "public",
    'listeners: [{name: http, port: 80, protocol: HTTP}, {name: shop, port: 80, protocol: HTTP, hostname: "*.example.com"}]',
  ),
  entry(
    "entrance",
    "hostnames: [shop.example.com], parentRefs: [{name: public}], rules: [{matches: [{path: {value: /buy}}], backendRefs: [{name: v1, port: 80}]}]",
  ),
];
const snapshots = compile(documents(...texts));

async function loadedAs(key: string): Promise<Loaded> {
  const text = canonicalJson(snapshots.get(key));
  const result = await load(text, { epoch: 7, digest: await digestOf(text) }, key);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** Milliseconds since the Unix epoch. */
export const now = Date.UTC(2026, 10, 23);
/** What else is known when it is asked, at one moment: no circuit has been seen. */
export const surroundings: Surroundings = {
  now,
  access: (spiffeId) => {
    const inbound = [...snapshots.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
    return inbound && { mode: inbound.mode, rules: inbound.authorization };
  },
  circuit: () => undefined,
};

/** What is asked, beside the address. */
export interface Asking {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly circuits?: Readonly<Record<string, string>>;
}

/** A request that is asked about. */
export const question = (url: string, { method = "GET", headers = {} }: Asking = {}) => ({
  url: new URL(url),
  method,
  headers: new Fields(new Headers(headers)),
});

/** What the worker of `web` runs. */
export const web = await loadedAs("default/web");
const gatewayWorker = await loadedAs("default/gateway");

/** What becomes of a request of `web`. */
export function asWeb(url: string, asking: Asking = {}): Explanation {
  const asked = question(url, asking);
  const destination = web.destinationByHost(asked.url.hostname);
  if (destination === undefined) throw new Error(`${url} is no service`);
  const { circuits = {} } = asking;
  const circuit: Surroundings["circuit"] = (key) =>
    circuits[key] === undefined ? undefined : { state: circuits[key], sinceMs: 5_000 };
  return explainCall(web, destination, asked, { ...surroundings, circuit });
}

/** What becomes of a request that comes to the gateway. */
export function fromOutside(url: string): Explanation {
  const asked = question(url);
  const target = gatewayWorker.listenerFor(asked.url.hostname, 80);
  if (target === undefined) throw new Error(`${url} is let in by nobody`);
  return explainEntry(gatewayWorker, target, asked, surroundings);
}

/** What became of a rule, by the end of its name. */
export const fateOf = ({ candidates }: Explanation, name: string): Candidate["fate"] | undefined =>
  candidates.find((one) => one.rule.endsWith(`/${name}`))?.fate;

/** The endings in a line each. */
export const endings = (answer: Explanation): readonly string[] =>
  answer.endings.map(({ share, service: at, fate }) => {
    const end =
      fate.kind === "refused"
        ? `${fate.status} ${fate.problem}: ${fate.detail}`
        : fate.kind === "answered"
          ? `${fate.status} ${fate.location}`
          : "reached";
    return `${share} ${at ?? "-"} ${end}`;
  });

/** A service whose rules are these, as `web` asks it. */
export function atService(rules: readonly Rule[], asked: ReturnType<typeof question>): Explanation {
  const shop = web.destination("default/shop");
  if (shop === undefined) throw new Error("there is no shop");
  const settings = { ...shop.settings, rules };
  const table = destinationTable(settings);
  const destination: LoadedDestination = { ...shop, settings, ...(table === undefined ? {} : { table }) };
  return explainCall(web, destination, asked, surroundings);
}

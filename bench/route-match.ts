/**
 * What finding a rule costs, by the number of rules: Tulle's route table, a linear scan over the same
 * rules in order of precedence, and (for paths without conditions) Hono's router. The last family is a
 * gateway's: hosts first, then the path, then the rest.
 *
 * The tables of all sizes run against each other, then at each size the table against its rivals: a
 * linear scan over ten thousand rules empties the caches, and whoever runs beside it pays for that. In
 * each race all contestants run in one process, in short batches whose order is drawn anew each round,
 * so that what disturbs the machine disturbs all of them. A `control` is a second table of the same
 * rules: how far its ratio is from 1 is how far no ratio of that race can be trusted.
 *
 * Run: `node bench/route-match.ts [rounds] [part of a family's name]` (Node 24).
 */
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import { hostMatches } from "../mesh-runtime/routing/host-match.ts";
import { listenerIndex } from "../mesh-runtime/routing/listeners.ts";
import { inPrecedence } from "../mesh-runtime/routing/precedence.ts";
import { type RoutedRequest, routeMatches } from "../mesh-runtime/routing/route-match.ts";
import { routeTable } from "../mesh-runtime/routing/route-table.ts";
import type { Matched, Rule } from "../mesh-runtime/routing/words.ts";
import { type Family, families } from "./route-families.ts";

type Find = (request: RoutedRequest) => Matched | undefined;

interface Contestant {
  readonly name: string;
  readonly requests: readonly RoutedRequest[];
  readonly find: (request: RoutedRequest) => unknown;
  /** Look-ups in a batch: all requests once, unless that takes too long. */
  readonly batch: number;
  readonly nanoseconds: number[];
}

const sizes = [10, 1_000, 10_000] as const;
const rounds = Number(process.argv[2] ?? 200);
const batch = 1_024;
/** Rounds before the ones that count: until the compiler has settled. */
const warmUp = 50;
/** Keeps the compiler from leaving out look-ups whose result nobody reads. */
let sink = 0;

for (const family of families.filter(({ name }) => name.includes(process.argv[3] ?? ""))) {
  const fields = sizes
    .filter((size) => family.alone !== true || size < 10_000)
    .map((size) => fieldOf(family, size));
  race(
    `${family.name}: tables of all sizes`,
    fields.flatMap(({ table, control }) => [table, control]),
  );
  for (const { size, table, control, rivals } of family.alone === true ? [] : fields)
    race(`${family.name}: ${size} rules`, [table, control, ...rivals]);
}
console.log(`\n${sink} look-ups found a rule.`);

function fieldOf(family: Family, size: number) {
  const rules = Array.from(
    { length: size },
    (_, n): Rule => ({ name: `rule-${n}`, matches: [family.match(n)], filters: [], backends: [] }),
  );
  // One in sixteen falls under no rule.
  const requests = Array.from({ length: batch }, (_, n) =>
    family.request(n % 16 === 0 ? size + n : Math.floor(Math.random() * size)),
  );
  const contestant = (name: string, find: Contestant["find"], lookUps = batch): Contestant => ({
    name: `${name}, ${size}`,
    requests,
    find,
    batch: lookUps,
    nanoseconds: [],
  });
  const started = performance.now();
  const table = tableOf(family, rules);
  console.log(`table of ${size} rules, ${family.name}: built in ${since(started)} ms`);
  const control = tableOf(family, rules);
  const scan = scanOf(family, rules);
  check(family, requests, table, scan);
  return {
    size,
    table: contestant("table", table),
    control: contestant("control", control),
    rivals: [
      contestant("linear scan", scan, Math.min(batch, 100_000 / size)),
      ...(family.withHono ? [contestant("hono", honoFor(family, rules))] : []),
    ],
  };
}

function tableOf({ host }: Family, rules: readonly Rule[]): Find {
  if (host === undefined) {
    const table = routeTable(rules);
    return (request) => table.find(request);
  }
  const hosts = [...Map.groupBy(rules.entries(), ([n]) => host(n))].map(([hostname, its]) => ({
    hostname,
    rules: its.map(([, rule]) => rule),
  }));
  const listeners = listenerIndex([{ name: "edge/public/http", port: 80, protocol: "HTTP", hosts }]);
  return (request) => listeners(request.url.host, undefined)?.table?.find(request);
}

function scanOf({ host }: Family, rules: readonly Rule[]): Find {
  const places = new Map(rules.map((rule, n) => [rule, host?.(n)]));
  const inOrder = inPrecedence(rules).map((matched) => ({ matched, host: places.get(matched.rule) }));
  return (request) =>
    inOrder.find(
      ({ matched, host: bound }) =>
        hostMatches(bound, request.url.host) && routeMatches(matched.match, request),
    )?.matched;
}

/** Hono knows no hosts; the host stands before the path, as its documentation says to do. */
function honoFor({ host }: Family, rules: readonly Rule[]): Contestant["find"] {
  const router = new SmartRouter<string>({ routers: [new RegExpRouter(), new TrieRouter()] });
  for (const [n, { name, matches }] of rules.entries())
    for (const { path } of matches) {
      const before = host === undefined ? "" : `/${host(n)}`;
      router.add("ALL", `${before}${path.value}${path.type === "Exact" ? "" : "/*"}`, name);
    }
  const started = performance.now();
  router.match("GET", "/");
  console.log(`  hono's ${router.activeRouter.name} of the same: built in ${since(started)} ms`);
  return host === undefined
    ? (request) => router.match(request.method, request.url.pathname)
    : (request) => router.match(request.method, `/${request.url.host}${request.url.pathname}`);
}

/** A bench of something that finds the wrong thing measures nothing. */
function check(family: Family, requests: readonly RoutedRequest[], table: Find, scan: Find): void {
  for (const request of requests.slice(0, 64))
    if (table(request)?.rule !== scan(request)?.rule)
      throw new Error(`Cannot measure ${family.name}: table and scan disagree on ${request.url.pathname}`);
}

function race(title: string, contestants: readonly Contestant[]): void {
  for (const each of contestants) each.nanoseconds.length = 0;
  for (let round = -warmUp; round < rounds; round++)
    for (const each of shuffled(contestants)) {
      const nanoseconds = time(each);
      if (round >= 0) each.nanoseconds.push(nanoseconds);
    }
  print(title, contestants);
}

/** Nanoseconds for one look-up, over one batch. */
function time({ find, requests, batch: lookUps }: Contestant): number {
  const offset = Math.floor(Math.random() * requests.length);
  const started = process.hrtime.bigint();
  for (let index = 0; index < lookUps; index++) {
    const request = requests[(offset + index) % batch];
    if (request !== undefined && find(request) !== undefined) sink += 1;
  }
  return Number(process.hrtime.bigint() - started) / lookUps;
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function print(title: string, contestants: readonly Contestant[]): void {
  const rows = contestants.map(({ name, nanoseconds }) => {
    const sorted = nanoseconds.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
    return { name, p10: at(0.1), median: at(0.5), p90: at(0.9) };
  });
  const base = rows[0]?.median ?? Number.NaN;
  console.log(`\n${title} (${rounds} rounds)`);
  console.table(
    rows.map(({ name, p10, median, p90 }) => ({
      contestant: name,
      "ns p10": Math.round(p10),
      "ns median": Math.round(median),
      "ns p90": Math.round(p90),
      "ratio to the first": Number((median / base).toFixed(2)),
    })),
  );
}

function since(started: number): string {
  return (performance.now() - started).toFixed(1);
}

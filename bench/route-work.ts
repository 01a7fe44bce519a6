/**
 * The longest that one request can make an isolate look for its rule: tables of regular expressions that go on at many
 * places at once, asked with random paths of 8 KB. `first` is a look-up in which the expressions are read and nothing is
 * known; the others follow it with a new path each, so that they meet states that nobody met before. `ordinary` is a
 * table as people write them, with paths of the same length.
 *
 *     node bench/route-work.ts [rounds]
 */
import { forget } from "../mesh-runtime/routing/automaton.ts";
import { routeTable } from "../mesh-runtime/routing/route-table.ts";
import { asking, expression } from "./route-families.ts";
import { quantile } from "./support.ts";

interface Shape {
  readonly name: string;
  readonly count: number;
  readonly source: (n: number) => string;
  readonly letters: string;
}

const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const all = `${capitals}${capitals.toLowerCase()}0123456789`;
const one = (n: number): string => all[n % all.length] ?? "";

const shapes: readonly Shape[] = [
  {
    name: "1,000 that share nothing, .*N.*a.{5}M",
    count: 1_000,
    source: (n) => `.*${one(n)}.*${one(n * 7 + 3)}.{${(n % 9) + 1}}${one(n * 13 + 5)}`,
    letters: all,
  },
  { name: "one, [ab]*a[ab]{990}", count: 1, source: () => "/[ab]*a[ab]{990}", letters: "ab" },
  {
    name: "1,000 that all hold, /.*(/x)?",
    count: 1_000,
    source: (n) => `/.*(/x${n})?`,
    letters: all,
  },
  {
    name: "400 of 600 instructions, (.*N){3}.{0,90}a",
    count: 400,
    source: (n) => `(.*${one(n)}){3}.{0,${90 + (n % 30)}}${one(n * 7)}`,
    letters: all,
  },
  {
    name: "ordinary, 1,000 of /.*/v[0-9]+/thing-n",
    count: 1_000,
    source: (n) => `/.*/v[0-9]+/thing-${n}`,
    letters: "abcv0123/",
  },
];

const rounds = Number(process.argv[2] ?? 30);
/** Rounds before the ones that count: until the compiler has settled. */
const warmUp = 5;

const randomPath = (letters: string): string =>
  `/${Array.from({ length: 8_191 }, () => letters[Math.floor(Math.random() * letters.length)]).join("")}`;

const rows = shapes.map(({ name, count, source, letters }) => {
  const table = routeTable(
    Array.from({ length: count }, (_, n) => ({
      name: `rule-${n}`,
      matches: [{ path: expression(source(n)), headers: [], query: [] }],
      filters: [],
      backends: [],
    })),
  );
  const first: number[] = [];
  const others: number[] = [];
  let refused = 0;
  for (let round = -warmUp; round < rounds; round++) {
    forget();
    for (let time = 0; time < 4; time++) {
      const request = asking(randomPath(letters));
      const begun = performance.now();
      const found = table.find(request);
      const took = performance.now() - begun;
      if (round < 0) continue;
      (time === 0 ? first : others).push(took);
      if (found?.undecided !== undefined) refused += 1;
    }
  }
  const inMs = (times: readonly number[], share: number): string => quantile(times, share).toFixed(1);
  return {
    expressions: name,
    "first, ms median": inMs(first, 0.5),
    "ms p10": inMs(others, 0.1),
    "ms median": inMs(others, 0.5),
    "ms p90": inMs(others, 0.9),
    refused: `${Math.round((100 * refused) / (4 * rounds))} %`,
  };
});
console.table(rows);

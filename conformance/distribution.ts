import { type Captured, statusesOf } from "./compare.ts";
import { send } from "./exchange.ts";
import { Failure, repeatedly } from "./failure.ts";
import type { Expected, Manifest, Step } from "./format.ts";
import type { Running } from "./running.ts";

/** As many requests, at once, tolerance and tries as upstream's `utils/weight`. */
const defaultRequests = 500;
const atOnce = 10;
const defaultTolerance = 0.05;
const mostTries = 10;

/** Passes if the requests of a step spread over backends as their weights say. */
export async function distribution(run: Running, step: Step): Promise<void> {
  const expected = sharesOf(step, run.own("HTTPRoute"));
  if (expected === undefined)
    throw new Failure(`the runner cannot read which shares are expected: ${step.expect?.rule ?? ""}`);
  for (let tries = 1; ; tries++) {
    const wrong = await differing(run, step, expected);
    if (wrong === undefined) return;
    if (tries === mostTries) throw new Failure(wrong);
  }
}

async function differing(
  run: Running,
  step: Step,
  expected: ReadonlyMap<string, number>,
): Promise<string | undefined> {
  const total = step.expect?.requests ?? defaultRequests;
  const tolerance = toleranceOf(step.expect ?? {});
  const seen = new Map<string, number>();
  const statuses = statusesOf(step.expect ?? {});
  await repeatedly(total, atOnce, async () => {
    const { found } = await send(run, step);
    const share = shareOf(found, expected);
    const answered = share === String(found.status) || statuses.includes(found.status);
    if (!answered) throw new Failure(`status: expected ${statuses.join(" or ")}, found ${found.status}`);
    if (!expected.has(share))
      throw new Failure(
        `backend: expected one of ${[...expected.keys()].join(", ")}, found ${share || "none"}`,
      );
    seen.set(share, (seen.get(share) ?? 0) + 1);
  });
  const wrong = [...expected].flatMap(([backend, share]) => {
    const found = (seen.get(backend) ?? 0) / total;
    const fits = share === 0 ? found === 0 : Math.abs(found - share) <= tolerance;
    return fits ? [] : [`share of ${backend}: expected ${share} ± ${tolerance}, found ${found}`];
  });
  return wrong.length === 0 ? undefined : wrong.join("; ");
}

/** What an answer counts for: its status, where the shares speak of that, or the backend that gave it. */
function shareOf({ status, echo }: Captured, expected: ReadonlyMap<string, number>): string {
  return expected.has(String(status)) ? String(status) : backendOf(echo.pod);
}

/** The name of a pod without the two parts that Kubernetes puts behind that of its Deployment. */
const backendOf = (pod: string): string => pod.split("-").slice(0, -2).join("-");

function toleranceOf({ tolerance }: Expected): number {
  if (typeof tolerance !== "number") return defaultTolerance;
  return tolerance > 1 ? tolerance / 100 : tolerance;
}

/** The shares that are expected: as a table, in words, or as the routes of the case weigh them. */
function sharesOf(
  { expect = {} }: Step,
  routes: readonly Manifest[],
): ReadonlyMap<string, number> | undefined {
  const table = tableIn(expect);
  if (table !== undefined) return normal(table);
  const [refs] = routes.flatMap(weighted);
  const names = refs?.map(([name]) => name) ?? [];
  const said = saidIn(expect.rule ?? "", names);
  const shares = said ?? refs;
  return shares === undefined ? undefined : normal(shares);
}

type Shares = readonly (readonly [string, number])[];

/** The one member that has a number for each of several names, whatever it is called. */
export function tableIn(expect: Expected): Shares | undefined {
  for (const table of Object.values(expect)) {
    if (typeof table !== "object" || table === null) continue;
    const shares = Array.isArray(table) ? table.flatMap(entryOf) : Object.entries(table);
    const isTable = shares.every(([, share]) => typeof share === "number" && !Number.isNaN(share));
    if (shares.length > 0 && isTable) return shares as Shares;
  }
  return undefined;
}

function entryOf(row: unknown): [string, number][] {
  const {
    name,
    backend = name,
    weight,
    share = weight,
    percent = share,
  } = { ...(row as object) } as Record<string, unknown>;
  return typeof backend === "string" ? [[backend, Number(percent)]] : [];
}

/** Shares in words, behind the names or before them: whichever way makes a whole of them. */
function saidIn(rule: string, names: readonly string[]): Shares | undefined {
  if (names.length === 0) return undefined;
  const name = `(?<name>${[...names].sort((a, b) => b.length - a.length).join("|")})(?![\\w-])`;
  const share = String.raw`(?<share>\d+(?:\.\d+)?)\s*%?`;
  const ways = [`${name}[^\\d,;]{0,20}?${share}`, `${share}[^\\d,;]{0,40}?${name}`];
  for (const way of ways) {
    const shares = [...rule.matchAll(new RegExp(way, "gi"))].map(
      ({ groups }) => [groups?.name ?? "", Number(groups?.share)] as const,
    );
    const whole = shares.reduce((sum, [, one]) => sum + one, 0);
    if ([1, 100].some((all) => Math.abs(whole - all) < 0.02 * all)) return shares;
  }
  return undefined;
}

/** The weights of each rule with several backends. */
function weighted({ spec = {} }: Manifest): (readonly [string, number])[][] {
  const rules = (spec.rules ?? []) as { backendRefs?: { name: string; weight?: number }[] }[];
  return rules
    .map(({ backendRefs = [] }) => backendRefs.map(({ name, weight = 1 }) => [name, weight] as const))
    .filter((refs) => refs.length > 1);
}

function normal(weights: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  return new Map(weights.map(([name, weight]) => [name, sum === 0 ? 0 : weight / sum]));
}

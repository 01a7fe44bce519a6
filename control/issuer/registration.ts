import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { isWorkloadName } from "@tulle/mesh-runtime/identity/spiffe-id.ts";

/** Ways in which a workload can show the issuer what it is. */
export const attestors = ["binding", "deno-deploy", "join-token"] as const;
export type Attestor = (typeof attestors)[number];

/** What an attestor has found out about a workload: names and values, compared byte by byte. */
export type Facts = Readonly<Record<string, string>>;

/** Which evidence may become which SPIFFE ID. */
export interface RegistrationEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly attestor: Attestor;
  /** Each `name:value`, sorted; all of them must be facts. */
  readonly selectors: readonly string[];
  /** How long tokens live that are issued by it, milliseconds; undefined: as long as all others. */
  readonly ttlMs: number | undefined;
  readonly note: string;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly createdAt: number;
  readonly createdBy: string;
  /** Tokens issued by it, ever. */
  readonly issued: number;
  readonly lastIssuedAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly revokedBy: string | undefined;
}

/** Shortest and longest life of a token that an entry may ask for, milliseconds. */
export const entryTtl = { minMs: 600_000, maxMs: 4 * 3_600_000 } as const;
/** Longest note, characters. */
export const maxNoteLength = 256;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const contextName = /^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,127}$/;
const isUuid = (text: string): boolean => uuid.test(text);
const aUuid = "a UUID in lower case";
const aLabel = "lower-case letters, digits and hyphens, 1 to 63";

/** Whether a value can be what a selector of that name says, and otherwise what is required. */
type Selectors = Readonly<Record<string, readonly [fits: (value: string) => boolean, required: string]>>;

/** What each attestor finds out, and so what its selectors may name. */
const known: Readonly<Record<Attestor, Selectors>> = {
  binding: { service: [isWorkloadName, aLabel], namespace: [isWorkloadName, aLabel] },
  "deno-deploy": {
    org_id: [isUuid, aUuid],
    app_id: [isUuid, aUuid],
    context_id: [isUuid, aUuid],
    context_name: [(value) => contextName.test(value), "the name of a context, such as production"],
  },
  // A token names its service itself: there is nothing more to know about who brings it.
  "join-token": {},
};

/** Names of Deno Deploy that may be given to something else, and what to select in their place. */
const slugs: Readonly<Record<string, string>> = { org_slug: "org_id", app_slug: "app_id", sub: "app_id" };

/** What must be selected: an entry without it would be for everybody who has an account there. */
const demanded: Readonly<Record<Attestor, readonly string[]>> = {
  binding: [],
  "deno-deploy": ["org_id", "app_id"],
  "join-token": [],
};

/** Reads what operators write as selectors, each `name:value`; sorted, or what is wrong with one. */
export function readSelectors(
  attestor: Attestor,
  written: readonly string[],
): Result<readonly string[], string> {
  const named = new Set<string>();
  for (const selector of written) {
    const colon = selector.indexOf(":");
    const name = selector.slice(0, Math.max(0, colon));
    const form = Object.hasOwn(known[attestor], name) ? known[attestor][name] : undefined;
    if (form === undefined) return no(unknownSelector(attestor, name));
    const [fits, required] = form;
    if (!fits(selector.slice(colon + 1))) return no(`the selector ${name} must be ${required}`);
    if (named.has(name)) return no(`the selector ${name} must be given once`);
    named.add(name);
  }
  const missing = demanded[attestor].filter((name) => !named.has(name));
  if (missing.length > 0) return no(`the attestor ${attestor} needs the selectors ${missing.join(" and ")}`);
  return ok([...written].sort());
}

function unknownSelector(attestor: Attestor, name: string): string {
  const better = Object.hasOwn(slugs, name) ? slugs[name] : undefined;
  if (attestor === "deno-deploy" && better !== undefined)
    return `${name} can be given to somebody else later: select ${better}, which cannot`;
  const names = Object.keys(known[attestor]);
  return names.length === 0
    ? `the attestor ${attestor} has no selectors`
    : `a selector of the attestor ${attestor} must be written name:value, with the name ${names.join(", ")}`;
}

/**
 * Whether everything that an entry selects is so. What runs outside of production (previews of branches, which
 * whoever opens a pull request may have started) is somebody only for an entry that names its context.
 */
export function matches({ attestor, selectors }: RegistrationEntry, facts: Facts): boolean {
  const namesContext = selectors.some((each) => /^context_(?:id|name):/.test(each));
  if (attestor === "deno-deploy" && !namesContext && factOf(facts, "context_name") !== "production")
    return false;
  return selectors.every((each) => {
    const colon = each.indexOf(":");
    return factOf(facts, each.slice(0, colon)) === each.slice(colon + 1);
  });
}

const factOf = (facts: Facts, name: string): string | undefined =>
  Object.hasOwn(facts, name) ? facts[name] : undefined;

/**
 * The entry by which evidence becomes an identity; `open` where the identity needs none. Among several that match, the
 * one with the shortest life.
 *
 * An identity without any entry is open to bindings and join tokens: whoever may deploy workers, or holds the role
 * admin, has said who it is. With the first entry it is registered, and only what its entries name may become it; a
 * revoked entry keeps it so, because taking one away must never let somebody in. Deno Deploy says nothing about
 * services, and always needs an entry.
 *
 * @param entries all of the identity, those that are revoked too
 */
export function entitlement(
  entries: readonly RegistrationEntry[],
  attestor: Attestor,
  facts: Facts,
): RegistrationEntry | "open" | undefined {
  if (entries.length === 0) return attestor === "deno-deploy" ? undefined : "open";
  const fitting = entries.filter(
    (entry) => entry.attestor === attestor && entry.revokedAt === undefined && matches(entry, facts),
  );
  const life = ({ ttlMs }: RegistrationEntry): number => ttlMs ?? Number.POSITIVE_INFINITY;
  return fitting.sort((one, other) => life(one) - life(other))[0];
}

/** Who may become an identity at present. */
export function attestorsOf(entries: readonly RegistrationEntry[]): readonly Attestor[] {
  if (entries.length === 0) return ["binding", "join-token"];
  return attestors.filter((each) =>
    entries.some(({ attestor, revokedAt }) => attestor === each && revokedAt === undefined),
  );
}

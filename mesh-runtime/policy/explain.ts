import type { Message } from "../foundation/exchange.ts";
import { ruleFor } from "../routing/cors.ts";
import { hostIndex } from "../routing/host-match.ts";
import { preflightRule } from "../routing/preflighted.ts";
import type { RoutedRequest } from "../routing/route-match.ts";
import { pinnedIn } from "../routing/session.ts";
import type { Listener, Matched, Pinned, Rule, Target } from "../routing/words.ts";
import { routesOf } from "./effective-rules.ts";
import { besideWords, entryOf, userWords } from "./explain-access.ts";
import { type Leaving, outlooksOf, refused } from "./explain-backends.ts";
import { filtered } from "./explain-filters.ts";
import { limitsOf } from "./explain-limits.ts";
import { candidatesOf } from "./explain-match.ts";
import type { Addressed, Ending, Explanation, Outlook, Surroundings } from "./explanation.ts";
import { type Addressee, atListener } from "./governing.ts";
import type { Loaded, LoadedDestination } from "./loaded.ts";
import { ownBackend, portOf, rulesAt } from "./port-table.ts";

/** What is asked about: a request as routes see it. */
export type Question = Pick<Message, "url" | "method" | "headers">;

/** Where a request goes, the rules there, and what holds for it. */
interface Place {
  readonly addressed: Addressed;
  readonly target: Target;
  /** Those that the target's table is made of; undefined where no route is attached. */
  readonly rules: readonly Rule[] | undefined;
  /** Whose settings hold where neither route nor backends say anything. */
  readonly addressee: Addressee;
}

/**
 * Tells what becomes of a request that a workload sends to a service of the mesh, with everything that
 * policy decides about it. The tables that are asked are those of a snapshot as workloads load it, and every
 * single answer is that of the function which routes, filters, splits or authorizes.
 *
 * @param loaded the caller's policy
 */
export function explainCall(
  loaded: Loaded,
  destination: LoadedDestination,
  question: Question,
  surroundings: Surroundings,
): Explanation {
  const { settings } = destination;
  const rules = rulesAt(settings, question.url);
  return explained(loaded, question, surroundings, {
    addressed: {
      kind: "service",
      service: settings.key,
      host: question.url.hostname,
      port: Number(portOf(question.url)),
      routes: routesOf(settings.key, rules),
    },
    target: destination,
    rules,
    addressee: settings,
  });
}

/**
 * Tells what becomes of a request from outside at a listener of a gateway.
 *
 * @param loaded the policy of the gateway's worker
 * @param target where the request came in, as `entering` finds it
 */
export function explainEntry(
  loaded: Loaded,
  target: Target,
  question: Question,
  surroundings: Surroundings,
): Explanation {
  const entry = entryOf(loaded, question);
  const listener = loaded.snapshot.listeners.find(({ name }) => name === target.destination);
  const bound = listener && boundTo(listener, question.url.hostname);
  const explanation = explained(loaded, question, surroundings, {
    addressed: {
      kind: "listener",
      listener: target.destination,
      protocol: listener?.protocol ?? "HTTP",
      port: target.listenerPort ?? Number(portOf(question.url)),
      ...(listener?.hostname === undefined ? {} : { hostname: listener.hostname }),
      ...(bound?.hostname === undefined ? {} : { bound: bound.hostname }),
    },
    target,
    rules: bound?.rules ?? [],
    addressee: atListener,
  });
  // A preflight is answered before the gateway's rules are asked.
  if (entry === undefined || preflightRule(target, { ...question, body: null }) !== undefined)
    return explanation;
  const notes = [...entry.notes, ...explanation.notes];
  if (entry.access.allowed) return { ...explanation, notes };
  const { caller, method, url, addressed, candidates, omitted } = explanation;
  const fate = refused({ kind: "denied", rule: entry.access.rule, principal: "" });
  const asked = { caller, method, url, addressed, candidates, omitted };
  return { ...asked, filters: [], backends: [], notes, ...ended([{ share: 1, fate }]) };
}

/** The rules that a listener holds against a host: those of the most specific hostname that routes are bound to. */
export const boundTo = ({ hosts }: Listener, host: string): Listener["hosts"][number] | undefined =>
  hostIndex(
    hosts.map((value) => ({ ...(value.hostname === undefined ? {} : { hostname: value.hostname }), value })),
  )(host);

function explained(
  loaded: Loaded,
  question: Question,
  surroundings: Surroundings,
  place: Place,
): Explanation {
  const { target, rules } = place;
  const message: Message = { ...question, body: null };
  const { matched, judged, notes } = found(target, message);
  const common = {
    caller: { service: loaded.snapshot.workload, spiffeId: loaded.snapshot.spiffeId },
    method: question.method,
    url: question.url.href,
    addressed: place.addressed,
    // What takes too long to compare with all rules is not compared with each of them.
    ...candidatesOf(
      matched?.undecided === undefined ? (rules ?? []) : [],
      matched,
      judged,
      surroundings.ages ?? new Map(),
    ),
    filters: [],
    backends: [],
    notes,
  };
  if (target.table !== undefined && matched === undefined) {
    const fate = refused({ kind: "no-route", destination: target.destination });
    return { ...common, ...ended([{ share: 1, fate }]) };
  }
  if (matched?.undecided !== undefined) {
    const { undecided: part } = matched;
    const fate = refused({ kind: "too-long-to-match", destination: target.destination, part });
    return { ...common, ...ended([{ share: 1, fate }]) };
  }
  const rule = matched?.rule ?? ownBackend(target.destination);
  const decided = underRule(loaded, message, matched, rule, surroundings, place);
  return { ...common, rule: rule.name, ...decided, notes: [...notes, ...decided.notes] };
}

/** The match that takes a message, and the request that it was found for: a preflight asks for another one. */
function found(
  { table }: Target,
  message: Message,
): {
  readonly matched: Matched | undefined;
  readonly judged: RoutedRequest;
  readonly notes: readonly string[];
} {
  const itself = table?.find(message);
  const matched = table === undefined ? undefined : ruleFor(table, message);
  if (matched?.match === itself?.match) return { matched, judged: message, notes: [] };
  const method = message.headers.get("access-control-request-method") ?? message.method;
  const note = `This is a preflight: it falls under the rule of the ${method} that it asks for.`;
  return { matched, judged: { ...message, method }, notes: [note] };
}

type Decided = Pick<
  Explanation,
  "filters" | "backends" | "limits" | "session" | "replay" | "pinned" | "endings" | "served" | "notes"
>;

function underRule(
  loaded: Loaded,
  message: Message,
  matched: Matched | undefined,
  rule: Rule,
  surroundings: Surroundings,
  { target: { destination, listenerPort }, addressee }: Place,
): Decided {
  const by = `a filter of ${rule.name}`;
  const own = filtered(message, rule.filters, { matched, listenerPort, by });
  const nothing = { filters: own.steps, backends: [], notes: [] };
  if (own.answered !== undefined) return { ...nothing, ...ended([{ share: 1, fate: own.answered }]) };
  if (rule.backends.length === 0) {
    const detail = "the rule names no backend";
    const fate = refused({ kind: "no-backend", destination, rule: rule.name, detail });
    return { ...nothing, ...ended([{ share: 1, fate }]) };
  }
  const leaving: Leaving = { message: own.message, matched, destination, listenerPort };
  const backends = outlooksOf(loaded, rule.backends, leaving, surroundings);
  const weighted = backends.filter(({ weight }) => weight > 0);
  const pinned = pinnedBy(rule, destination, own.message, surroundings.now);
  const kept = pinned && backends[rule.backends.indexOf(pinned.backend)];
  const fate = refused({
    kind: "no-backend",
    destination,
    rule: rule.name,
    detail: "no backend of the rule has weight",
  });
  return {
    filters: own.steps,
    backends,
    limits: limitsOf(rule, addressee, message, loaded),
    ...(rule.session === undefined ? {} : { session: rule.session }),
    ...(rule.replay === undefined ? {} : { replay: rule.replay }),
    ...(pinned === undefined ? {} : { pinned: placeOf(pinned, kept) }),
    ...ended(
      kept !== undefined
        ? [endingOf({ ...kept, share: 1 })]
        : weighted.length === 0
          ? [{ share: 1, fate }]
          : weighted.map(endingOf),
    ),
    notes: [
      ...notesOn(kept === undefined ? weighted : [kept]),
      ...notesOnUsers(loaded, kept === undefined ? weighted : [kept], surroundings),
    ],
  };
}

/** Where the session of a request is, as `persisted` finds it. */
function pinnedBy(
  { name, session, backends }: Rule,
  destination: string,
  { headers }: Message,
  now: number,
): Pinned | undefined {
  if (session === undefined) return undefined;
  // Services without routes have a rule of one name each.
  return pinnedIn(headers, session, name === "default" ? destination : name, backends, now);
}

function placeOf(
  { backend, isEndpoint }: Pinned,
  outlook: Outlook | undefined,
): Explanation["pinned"] & object {
  const endpoint = outlook?.endpoints.find(({ name }) => isEndpoint(name))?.name;
  return { service: backend.service, ...(endpoint === undefined ? {} : { endpoint }) };
}

const endingOf = ({ share, service, ending }: Outlook): Ending => ({ share, service, fate: ending });

function ended(endings: readonly Ending[]): Pick<Explanation, "endings" | "served"> {
  // Shares are fractions whose sum need not be exactly 1.
  const served = endings.reduce((sum, { share, fate }) => (fate.kind === "refused" ? sum : sum + share), 0);
  const refusesNothing = endings.every(({ fate }) => fate.kind !== "refused");
  return { endings, served: refusesNothing ? 1 : served };
}

/** Where rules ask for end users, what is told holds for a request without a token. */
const notesOnUsers = (
  loaded: Loaded,
  weighted: readonly Outlook[],
  { access }: Surroundings,
): readonly string[] =>
  weighted.flatMap(({ service }) => {
    const there = loaded.destination(service);
    const judge = there === undefined ? undefined : access(there.id.uri);
    return judge === undefined ? [] : userWords(judge.rules).map((words) => `At ${service}: ${words}`);
  });

function notesOn(weighted: readonly Outlook[]): readonly string[] {
  const notes: string[] = [];
  const open = weighted.filter(
    ({ ending }) => ending.kind === "refused" && ending.problem === "circuit-open",
  );
  const others = weighted.some((one) => one.unusable === undefined && !open.includes(one));
  if (open.length > 0 && others) {
    const names = open.map(({ service }) => service).join(", ");
    notes.push(
      `What falls to ${names} goes to another backend, if its body can be sent again: the open circuit lets nothing through.`,
    );
  }
  for (const { service, endpoints } of weighted) {
    for (const words of new Set(endpoints.flatMap(({ access }) => (access ? besideWords(access) : []))))
      notes.push(`At ${service}: ${words}`);
    const shut = endpoints.filter(({ access }) => access?.allowed === false);
    if (shut.length > 0 && shut.length < endpoints.length)
      notes.push(`Of ${service}, ${shut.map(({ name }) => name).join(", ")} would not let the caller in.`);
  }
  return notes;
}

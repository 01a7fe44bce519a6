import type { Explanation } from "@tulle/control/api/contract.ts";
import { durationText, sharePercent } from "./measures.ts";
import { ago, count, table } from "./report.ts";
import type { Look, Terminal } from "./terminal.ts";

type Ending = Explanation["endings"][number];
type Candidate = Explanation["candidates"][number];
type Outlook = Explanation["backends"][number];
type Paint = Terminal["paint"];

/** A label and what is said about it. */
type Said = readonly [label: string, text: string];

/** What becomes of a request, from the end to the reasons: the verdict first, then what led to it. */
export function explanationText(terminal: Pick<Terminal, "paint">, answer: Explanation): string {
  const { paint } = terminal;
  const { method, url, caller, addressed } = answer;
  const who = addressed.kind === "listener" ? `from outside, by ${caller.service}` : `as ${caller.service}`;
  return [
    `${paint("bold", `${method} ${url}`)} ${who}`,
    ...answer.endings.map((ending) => `  ${endingText(paint, ending)}`),
    ...answer.notes.map((note) => `  ${paint("yellow", "note:")} ${note}`),
    "",
    aligned(paint, summary(answer)),
    ...section(paint, "Matches, in order of precedence", candidatesText(terminal, answer)),
    ...section(paint, "Filters, in order", filtersText(answer.filters)),
    ...section(paint, "Backends", backendsText(terminal, answer.backends)),
    ...section(
      paint,
      "What bounds it",
      answer.limits && aligned(paint, limitsOf(answer.limits, answer.backends)),
    ),
  ].join("\n");
}

const section = (paint: Paint, head: string, text: string | undefined): readonly string[] =>
  text === undefined ? [] : ["", paint("bold", head), text];

function endingText(paint: Paint, { share, service, fate }: Ending): string {
  const part = sharePercent(share).padStart(4);
  switch (fate.kind) {
    case "reached":
      return `${part} ${paint("green", "reaches")} ${service ?? ""}`;
    case "answered": {
      const where = fate.location === undefined ? "" : `, Location ${fate.location}`;
      return `${part} ${paint("cyan", `answered ${fate.status}`)}${where} (${fate.by})`;
    }
    case "refused": {
      const at = service === undefined ? "" : ` ${service}`;
      return `${part} ${paint("red", `refused ${fate.status} ${fate.problem}`)}${at}: ${fate.detail}`;
    }
  }
}

function summary({ addressed, rule, candidates, session, replay, pinned }: Explanation): readonly Said[] {
  const winner = candidates.find(({ fate }) => fate.kind === "wins");
  const by = winner === undefined ? "" : `, by ${winner.match}`;
  return [
    ["means", addressedText(addressed)],
    ["rule", rule === undefined ? "none" : `${rule}${by}`],
    ...(session === undefined ? [] : [["session", sessionText(session)] as const]),
    ...(replay === undefined
      ? []
      : [["replay", "strict: signed, it is let in once in the whole mesh"] as const]),
    ...(pinned === undefined ? [] : [["pinned", pinnedText(pinned)] as const]),
  ];
}

function addressedText(addressed: Explanation["addressed"]): string {
  if (addressed.kind === "listener") {
    const { listener, protocol, port, hostname, bound } = addressed;
    const takes = hostname === undefined ? "every host" : hostname;
    const routes = bound === undefined || bound === hostname ? "" : `, routes bound to ${bound}`;
    return `listener ${listener} (${protocol} ${port}, ${takes}${routes})`;
  }
  const { service, host, port, routes } = addressed;
  const whose = {
    producer: "the routes of its own namespace hold",
    consumer: "the routes of the caller's namespace hold",
    none: "no route is attached, so it is its own backend",
  };
  return `service ${service} (host ${host}, port ${port}); ${whose[routes]}`;
}

function sessionText({
  type,
  name,
  lifetime,
  absoluteTimeoutMs,
}: NonNullable<Explanation["session"]>): string {
  const end = absoluteTimeoutMs === undefined ? "" : `, ends after ${durationText(absoluteTimeoutMs)}`;
  const stays = type === "Cookie" && lifetime === "Session" ? ", until the browser is closed" : "";
  return `${type.toLowerCase()} ${name} keeps a session at one backend and endpoint${stays}${end}`;
}

const pinnedText = ({ service, endpoint }: NonNullable<Explanation["pinned"]>): string =>
  `the session of this request is at ${service}${endpoint === undefined ? "" : `, endpoint ${endpoint}`}, whatever the weights`;

function candidatesText(terminal: Pick<Terminal, "paint">, answer: Explanation): string | undefined {
  const { candidates, omitted } = answer;
  if (candidates.length === 0) return undefined;
  const columns = [
    { head: "RANK", align: "right" },
    { head: "RULE" },
    { head: "MATCH" },
    { head: "WHY" },
  ] as const;
  const rows = candidates.map((one) => [String(one.rank), one.rule, one.match, whyText(terminal.paint, one)]);
  const more = omitted === 0 ? "" : `\n… and ${omitted} more, further from winning`;
  return table(terminal, columns, rows) + more;
}

function whyText(paint: Paint, { fate }: Candidate): string {
  switch (fate.kind) {
    case "wins":
      return paint("green", "wins");
    case "lower precedence":
      return paint("yellow", fate.text);
    case "no match":
      return fate.unmet.map(({ text }) => text).join("\n");
  }
}

function filtersText(filters: Explanation["filters"]): string | undefined {
  if (filters.length === 0) return undefined;
  return filters
    .map(({ type, text }, index) => `${String(index + 1).padStart(3)}. ${type}: ${text}`)
    .join("\n");
}

const circuitLooks: Readonly<Record<string, Look>> = { closed: "green", open: "red" };

function backendsText(terminal: Pick<Terminal, "paint">, backends: readonly Outlook[]): string | undefined {
  if (backends.length === 0) return undefined;
  return backends.map((backend) => backendText(terminal.paint, backend)).join("\n");
}

function backendText(paint: Paint, backend: Outlook): string {
  const { service, share, weight, unusable, url, endpoints, circuit, balancing } = backend;
  const head = `${paint("bold", service)}  ${sharePercent(share)} (weight ${weight})`;
  const said: Said[] = [];
  if (unusable !== undefined)
    said.push(["unusable", `${paint("red", unusable)}; its share is answered 500 and goes to no other`]);
  for (const { type, text } of backend.filters) said.push(["filter", `${type}: ${text}`]);
  if (endpoints.length > 0) said.push(["asked for", url]);
  for (const endpoint of endpoints) said.push(["endpoint", endpointText(endpoint, endpoints.length > 1)]);
  if (balancing !== undefined) said.push(["balancing", balancing]);
  const evidence = endpoints.map(evidenceText);
  const access = endpoints.map((each) => accessText(paint, each, endpoints.length > 1));
  for (const text of new Set(evidence)) said.push(["evidence", text]);
  for (const text of new Set(access)) said.push(["access", text]);
  if (circuit !== undefined) said.push(["circuit", circuitText(paint, circuit)]);
  return `${head}${said.length === 0 ? "" : `\n${aligned(paint, said, "  ")}`}`;
}

function endpointText(endpoint: Outlook["endpoints"][number], choice: boolean): string {
  const { name, address, weight, priority, locality, spiffeId } = endpoint;
  const zone = locality?.zone === undefined ? "" : `/${locality.zone}`;
  const where = locality === undefined ? "" : `, in ${locality.region}${zone}`;
  const who = spiffeId === undefined ? "" : `, answered by ${spiffeId}`;
  if (!choice) return `${address}${where}${who}`;
  const level = priority === 0 ? "" : `, priority ${priority}`;
  return `${name}: ${address}, weight ${weight}${level}${where}${who}`;
}

function evidenceText(endpoint: Outlook["endpoints"][number]): string {
  const { evidence, proof, replay, responses, sessionProofs } = endpoint;
  if (proof === "binding") return `${evidence} is demanded, the service binding names the caller`;
  const once = replay === undefined ? "" : ", which is let in once in the whole mesh";
  const signed = responses === undefined ? "" : "; the answer must be signed";
  const how = sessionProofs === undefined ? "proves each try by its own key" : "signs each try";
  return `${evidence} is demanded, the caller ${how}${once}${signed}`;
}

function accessText(
  paint: Paint,
  { name, access, because }: Outlook["endpoints"][number],
  choice: boolean,
): string {
  const at = choice ? `${name}: ` : "";
  if (access === undefined) return `${at}not known here`;
  const why = because === undefined ? "" : ` (${because})`;
  return access.allowed
    ? `${at}${paint("green", "allowed")} by ${access.rule}${why}`
    : `${at}${paint("red", "denied")} by ${access.rule}${why}`;
}

function circuitText(paint: Paint, { policy, seen }: NonNullable<Outlook["circuit"]>): string {
  if (!policy.enabled) return "switched off";
  const now =
    seen === undefined
      ? "nobody has reported on it lately"
      : `${paint(circuitLooks[seen.state] ?? "yellow", seen.state)} for ${ago(seen.sinceMs)}`;
  const rows = `${policy.consecutiveFailures} failures in a row over ${durationText(policy.minimumSpanMs)}`;
  const rate = `${sharePercent(policy.failureRatio)} failures of at least ${policy.minimumOutcomes} within ${durationText(policy.windowMs)}`;
  return `${now}; opens at ${rows}, or at ${rate}`;
}

function budgetText(budget: NonNullable<Explanation["limits"]>["retry"]["budget"]): readonly string[] {
  if (budget === undefined) return [];
  const { ratio, reservePerSecond } = budget;
  const beside =
    reservePerSecond === undefined ? "" : `, and ${reservePerSecond} a second of this rule in any case`;
  return [`${sharePercent(ratio)} of the requests may be retries${beside}`];
}

const sayers = {
  route: "the route",
  destination: "the destination's policy",
  backends: "the backends' policies",
  mesh: "the mesh's default",
};

function limitsOf(limits: NonNullable<Explanation["limits"]>, backends: readonly Outlook[]): readonly Said[] {
  const { requestTimeoutMs, tryTimeoutMs, retry, maxInFlight } = limits;
  const from = ({ from: said }: { readonly from: keyof typeof sayers }): string => sayers[said];
  const { attempts, codes, afterAnswer } = retry;
  const pause = `pauses up to ${durationText(retry.backoffBaseMs)}, growing to ${durationText(retry.backoffMaxMs)}`;
  const after = afterAnswer.retried
    ? `after ${codes.value.join(", ")} (${from(codes)})`
    : `not after an answer: ${afterAnswer.reason}`;
  const tries =
    attempts.value === 0
      ? `none (${from(attempts)})`
      : [`up to ${attempts.value} (${from(attempts)}) of what was not delivered`, after, pause].join("\n");
  const budgets = backends.flatMap(({ service, retryConstraint: budget }) =>
    budget === undefined
      ? []
      : [
          `${service}: ${budget.percent}% of what is sent within ${durationText(budget.intervalMs)} may be retries, and ${budget.minimumCount} within ${durationText(budget.minimumIntervalMs)} in any case`,
        ],
  );
  const places = backends.flatMap(({ service, maxInFlight: most }) =>
    most === undefined ? [] : [`${service}: ${most} of them, whichever route leads there`],
  );
  return [
    ["timeout", `${durationText(requestTimeoutMs.value)} for all tries (${from(requestTimeoutMs)})`],
    ["each try", `${durationText(tryTimeoutMs.value)} (${from(tryTimeoutMs)})`],
    ["retries", tries],
    ["budget", [...budgetText(retry.budget), ...budgets].join("\n")],
    ["in flight", [`${count(maxInFlight, "request")} at once from one isolate`, ...places].join("\n")],
  ];
}

/** Labels in one column, texts in another; a text of several lines stays in its own. */
function aligned(paint: Paint, said: readonly Said[], indent = "  "): string {
  const width = Math.max(0, ...said.map(([label]) => label.length));
  const gap = `${indent}${" ".repeat(width)}  `;
  return said
    .map(
      ([label, text]) =>
        `${indent}${paint("dim", label.padEnd(width))}  ${text.replaceAll("\n", `\n${gap}`)}`,
    )
    .join("\n");
}

import type { CapturedFile, CapturedHeader } from "./captured-request.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads a request from JSON: a HAR or an entry of one, the event of a Worker's log, `{ method, url, headers }`, or headers
 * alone, as an object, a list of pairs, a list of `{ name, value }`, or a list of names and values in turn.
 *
 * @throws Failure (usage) when it is no JSON, or there is no request in it
 */
export function capturedFromJson(text: string, source: string): CapturedFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new Failure(exit.usage, `${source} begins like JSON and is none.`);
  }
  const request = requestIn(json, source);
  const headers = headersIn(isMembers(request) && "headers" in request ? request.headers : request);
  if (headers === undefined || headers.length === 0)
    throw new Failure(
      exit.usage,
      `There are no headers in ${source}.`,
      'Expected is a HAR, { "method": …, "url": …, "headers": … }, or the headers alone.',
    );
  const members = isMembers(request) && "headers" in request ? request : {};
  return {
    method: textOf(members.method),
    target: textOf(members.url) ?? textOf(members.path),
    headers,
    body: bodyIn(members),
    capturedAt: timeIn(json),
  };
}

/** Where in it the request stands. */
function requestIn(json: unknown, source: string): unknown {
  if (!isMembers(json)) return json;
  const { log, event, request } = json;
  if (isMembers(log) && Array.isArray(log.entries)) return onlyEntry(log.entries, source);
  if (isMembers(event) && isMembers(event.request)) return event.request;
  return isMembers(request) ? request : json;
}

/** The one request of a HAR; of several the one that carries a token. */
function onlyEntry(entries: readonly unknown[], source: string): unknown {
  const requests = entries.flatMap((entry) => (isMembers(entry) ? [entry.request] : []));
  const proven = requests.filter((request) =>
    headersIn(isMembers(request) ? request.headers : undefined)?.some(
      ([name]) => name.toLowerCase() === "workload-identity-token",
    ),
  );
  const candidates = requests.length === 1 ? requests : proven;
  if (candidates.length === 1) return candidates[0];
  throw new Failure(
    exit.usage,
    `${source} holds ${requests.length} requests, ${proven.length} of them with a workload's token.`,
    "Keep the one that is meant.",
  );
}

/** Headers in any of the forms that they have in JSON; undefined when these are none. */
function headersIn(value: unknown): readonly CapturedHeader[] | undefined {
  if (isMembers(value)) {
    const pairs = Object.entries(value).map(([name, said]) =>
      (Array.isArray(said) ? said : [said]).map((each: unknown) => [name, each] as const),
    );
    return allText(pairs.flat());
  }
  if (!Array.isArray(value)) return undefined;
  const list = value as readonly unknown[];
  if (list.every((each) => typeof each === "string")) return ofTexts(list);
  return allText(
    list.map((each) =>
      Array.isArray(each) ? [each[0], each[1]] : isMembers(each) ? [each.name, each.value] : [],
    ),
  );
}

/** `name: value` each, or names and values in turn. */
function ofTexts(texts: readonly string[]): readonly CapturedHeader[] | undefined {
  if (texts.every((text) => /^[^\s:]+:/.test(text)))
    return texts.map((text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1).trim()]);
  if (texts.length % 2 !== 0) return undefined;
  return texts.flatMap((text, at) => (at % 2 === 0 ? [[text, texts[at + 1] ?? ""] as const] : []));
}

function allText(pairs: readonly (readonly unknown[])[]): readonly CapturedHeader[] | undefined {
  const found = pairs.flatMap(([name, value]): CapturedHeader[] =>
    typeof name === "string" && (typeof value === "string" || typeof value === "number")
      ? [[name, String(value)]]
      : [],
  );
  return found.length === pairs.length ? found.filter(([name]) => !name.startsWith(":")) : undefined;
}

function bodyIn({ body, postData }: Members): Uint8Array<ArrayBuffer> | undefined {
  const text = textOf(body) ?? (isMembers(postData) ? textOf(postData.text) : undefined);
  return text === undefined ? undefined : new Uint8Array(new TextEncoder().encode(text));
}

/** When a log or a HAR says that it was, milliseconds since the Unix epoch. */
function timeIn(json: unknown): number | undefined {
  if (!isMembers(json)) return undefined;
  if (typeof json.eventTimestamp === "number") return json.eventTimestamp;
  const { log } = json;
  const [entry] = isMembers(log) && Array.isArray(log.entries) ? (log.entries as readonly unknown[]) : [json];
  const started = Date.parse(isMembers(entry) ? String(entry.startedDateTime) : "");
  return Number.isNaN(started) ? undefined : started;
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

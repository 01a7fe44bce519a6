import { Fields } from "@tulle/mesh-runtime/foundation/fields.ts";
import { capturedFromJson } from "./captured-json.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** A request as a file has it. What the file does not say is undefined. */
export interface CapturedFile {
  readonly method: string | undefined;
  /** A whole URL, or what stands behind the host. */
  readonly target: string | undefined;
  /** In their order; a name may stand twice. */
  readonly headers: readonly CapturedHeader[];
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** When it was captured, milliseconds since the Unix epoch, if the file says so. */
  readonly capturedAt: number | undefined;
}

export type CapturedHeader = readonly [name: string, value: string];

/** What Cloudflare's logs put in the place of a value that could be a secret. */
const redacted = "REDACTED";
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Reads a request as people keep one: what `curl -v` prints, the bytes of HTTP/1.1, header lines alone, or JSON (a HAR, a
 * log's event, an object or a list of headers).
 *
 * @param source how messages call the text; nothing of the text itself comes into one, since it may be a credential
 * @throws Failure (usage) when there is no request in it, or one that a log has taken the proof out of
 */
export function parseCaptured(text: string, source: string): CapturedFile {
  const plain = text.replace(/^\uFEFF/, "");
  const found = /^\s*[[{]/.test(plain) ? capturedFromJson(plain, source) : fromLines(plain, source);
  const [hidden] = found.headers.find(([, value]) => value.trim() === redacted) ?? [];
  if (hidden !== undefined && /^(?:workload-identity-token|signature|signature-input)$/i.test(hidden))
    throw new Failure(
      exit.usage,
      `In ${source} the value of ${hidden.toLowerCase()} is ${redacted}: a log took it out.`,
      "Capture the request where nothing is taken out: at the caller, or in the callee with console.log of its headers.",
    );
  return found;
}

/** The header fields as a runtime joins them, and the names that stood there more than once. */
export function joinedFields(headers: readonly CapturedHeader[]): {
  readonly fields: Fields;
  readonly repeated: readonly string[];
} {
  const fields = new Fields();
  const repeated = new Set<string>();
  for (const [name, value] of headers) {
    if (fields.has(name)) repeated.add(name.toLowerCase());
    fields.append(name, value);
  }
  return { fields, repeated: [...repeated] };
}

function fromLines(text: string, source: string): CapturedFile {
  const lines = text.split(/\r?\n/);
  const isCurl = lines.some((line) => /^> \S/.test(line));
  const sent = isCurl ? lines.flatMap((line) => (/^>/.test(line) ? [line.slice(1).trimStart()] : [])) : lines;
  const start = sent.findIndex((line) => line.trim() !== "");
  const first = /^([A-Za-z-]+) (\S+)(?: HTTP\/[0-9.]+)?\s*$/.exec(sent[start] ?? "");
  const { headers, end } = headerLines(sent, first === null ? start : start + 1, source);
  const dateOfAnswer = isCurl
    ? lines.find((line) => /^< date:/i.test(line))?.slice("< date:".length)
    : undefined;
  return {
    ...requestLine(first, headers),
    headers: headers.filter(([name]) => !name.startsWith(":")),
    body: isCurl ? undefined : bodyBehind(sent.slice(end), headers),
    capturedAt: timeOf(dateOfAnswer) ?? timeOf(firstNamed(headers, "date")),
  };
}

/** Method and target from the first line, or from the pseudo-headers of HTTP/2. */
function requestLine(
  first: RegExpExecArray | null,
  headers: readonly CapturedHeader[],
): Pick<CapturedFile, "method" | "target"> {
  return {
    method: first?.[1] ?? firstNamed(headers, ":method"),
    target: first?.[2] ?? firstNamed(headers, ":path"),
  };
}

/** Header lines up to an empty one. A line that begins with a blank goes on with the one before (RFC 9112 §5.2). */
function headerLines(
  lines: readonly string[],
  start: number,
  source: string,
): { readonly headers: readonly CapturedHeader[]; readonly end: number } {
  const headers: CapturedHeader[] = [];
  let at = Math.max(0, start);
  for (; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.trim() === "") break;
    const last = headers.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) {
      headers[headers.length - 1] = [last[0], `${last[1]} ${line.trim()}`];
      continue;
    }
    const colon = line.indexOf(":", 1);
    const name = line.slice(0, Math.max(0, colon)).trim();
    if (!fieldName.test(name.replace(/^:/, "")))
      throw new Failure(
        exit.usage,
        `Line ${at + 1} of the request in ${source} is no header: "name: value" is expected.`,
        "A first line may be like: POST http://payments/charge HTTP/1.1",
      );
    headers.push([name, line.slice(colon + 1).trim()]);
  }
  if (headers.length === 0) throw new Failure(exit.usage, `There is no header in ${source}.`);
  return { headers, end: at + 1 };
}

/** What stands behind the headers, as long as they say that it is. */
function bodyBehind(
  lines: readonly string[],
  headers: readonly CapturedHeader[],
): Uint8Array<ArrayBuffer> | undefined {
  const text = lines.join("\n");
  if (text === "") return undefined;
  const bytes = new Uint8Array(new TextEncoder().encode(text));
  const length = Number(firstNamed(headers, "content-length") ?? Number.NaN);
  return Number.isSafeInteger(length) ? bytes.slice(0, length) : bytes;
}

const firstNamed = (headers: readonly CapturedHeader[], wanted: string): string | undefined =>
  headers.find(([name]) => name.toLowerCase() === wanted)?.[1];

/** Milliseconds since the Unix epoch; undefined where it is no time. */
export function timeOf(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

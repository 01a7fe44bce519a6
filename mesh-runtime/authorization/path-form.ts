import { no, ok, type Result } from "../foundation/result.ts";

/** RFC 3986 `pchar` and "/": what stands in a path as itself. */
const plain = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$/;

/**
 * Most segments that a path may have. Each is read for itself and in up to eight readings, which took 75 ms for the
 * longest path that the gateway lets in; applications have a handful.
 */
const maxSegments = 256;

/**
 * Writes a path in the one form in which rules compare it, so that one resource has one spelling: a
 * percent-encoded character that may stand as itself does, every other byte is percent-encoded in upper
 * case. `/%61dmin` is `/admin`, `/a|b` is `/a%7Cb`, `/caf%c3%a9` is what `/café` becomes.
 *
 * What an application, a framework or a file system may read in a second way has no form, since a rule
 * for the one reading would be passed by the other:
 * - an encoded slash or backslash (`%2F`, `%5C`), a backslash, an empty segment (`//`), a dot segment
 *   (RFC 3986 §5.2.4; URL parsers have removed plain ones already, so one that is left was hidden);
 * - an encoding of an encoding (`%2561`), read once here and twice by whoever decodes twice;
 * - a control character, NUL above all, which ends the path for some readers;
 * - a percent sign that encodes nothing, and bytes that are not UTF-8 (`%C0%AF` is an overlong slash);
 * - a segment that parameters alone make other than empty or dots (`/..;/admin`, RFC 3986 §3.3);
 * - a character that NFKC makes structure of, such as the full-width slash U+FF0F;
 * - more segments than anybody needs, which would take long to read.
 *
 * Left as they are, because they name different resources for some and the same for others: letter case,
 * a trailing slash, parameters after ";", composed and decomposed accents. Rules are held against each
 * such reading, see `path-readings.ts`.
 *
 * @param path of a URL, without query
 * @returns the form, or what makes the path ambiguous
 */
export function normalPath(path: string): Result<string, string> {
  const segments = splitAndJudge(path);
  if (!segments.ok) return segments;
  // Most paths, in two thirds of the time that the same answer takes below.
  if (plain.test(path) && !path.includes(";")) return ok(path);
  let form = "";
  for (const segment of segments.value) {
    if (plain.test(segment)) {
      const disguised = segment.includes(";") ? structureIn(segment) : undefined;
      if (disguised !== undefined) return no(disguised);
      form += `/${segment}`;
      continue;
    }
    const bytes = decoded(segment);
    if (!bytes.ok) return bytes;
    form += `/${encoded(bytes.value)}`;
  }
  return ok(form);
}

/** The segments of an absolute path; refuses what is ambiguous before anything is decoded. */
function splitAndJudge(path: string): Result<readonly string[], string> {
  if (!path.startsWith("/")) return no("a path that does not begin with a slash");
  if (path.includes("\\")) return no("a backslash");
  const segments = path.slice(1).split("/", maxSegments + 1);
  if (segments.length > maxSegments) return no(`more than ${maxSegments} segments`);
  for (const [index, segment] of segments.entries()) {
    if (segment === "" && index < segments.length - 1) return no("an empty segment");
    if (segment === "." || segment === "..") return no("a dot segment");
  }
  return ok(segments);
}

/** The bytes that a segment stands for. */
function decoded(segment: string): Result<Uint8Array, string> {
  const given = new TextEncoder().encode(segment);
  let length = 0;
  for (let index = 0; index < given.length; index++) {
    let byte = given[index] ?? 0;
    if (byte === percent) {
      const [high, low] = [nibble(given[index + 1]), nibble(given[index + 2])];
      if (high === undefined || low === undefined) return no("a percent sign that encodes nothing");
      byte = high * 16 + low;
      index += 2;
    }
    // What is written lies behind what is read.
    given[length++] = byte;
  }
  return judged(given.subarray(0, length));
}

const percent = 0x25;

/** The value of a hexadecimal digit; past the end of a text there is none. */
function nibble(code = 0): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

/** Refuses decoded bytes that some reader would take for the structure of a path. */
function judged(bytes: Uint8Array): Result<Uint8Array, string> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // A fatal decoder throws for bytes that are not UTF-8; that is the answer, not a fault.
    return no("bytes that are not UTF-8");
  }
  if (text === "." || text === "..") return no("an encoded dot segment");
  // After decoding, because the second percent-encoding may itself be encoded: %25%36%31.
  if (/%[0-9A-Fa-f]{2}/.test(text)) return no("an encoding of an encoding");
  const disguised = structureIn(text);
  if (disguised !== undefined) return no(disguised);
  for (const byte of bytes) {
    if (byte === 0x2f) return no("an encoded slash");
    if (byte === 0x5c) return no("an encoded backslash");
    if (byte < 0x20 || byte === 0x7f) return no("a control character");
  }
  return ok(bytes);
}

const beyondAscii = /[\u0080-\u{10FFFF}]/u;

/**
 * What a reader sees of a segment who leaves parameters out, or takes compatible characters for each other.
 *
 * @param text not empty
 */
function structureIn(text: string): string | undefined {
  const exotic = beyondAscii.test(text);
  if (exotic) {
    for (const character of text) {
      if (beyondAscii.test(character) && /[/\\;%?#]/.test(character.normalize("NFKC")))
        return "a character that some read as a part of the path's structure";
    }
  }
  const [name = ""] = (exotic ? text.normalize("NFKC") : text).split(";", 1);
  if (name === "." || name === ".." || name === "")
    return "a segment that is empty or dots but for its parameters";
  return undefined;
}

function encoded(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** One member of `baggage`. */
export interface BaggageMember {
  readonly key: string;
  /** As it stands on the wire: percent-encoded. */
  readonly value: string;
  /** Properties, each `key` or `key=value`. */
  readonly properties: readonly string[];
}

/** W3C Baggage, §3.3.2, asks for everything up to this to be passed on, bytes. */
export const maxBaggageLength = 8_192;

/** The most that the first W3C draft allowed; 64 is what the present one asks for at least. */
const maxMembers = 180;
const edgeSpace = /^[ \t]+|[ \t]+$/g;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** `baggage-octet`: no space, quote, comma, semicolon or backslash. */
const octets = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/**
 * Reads a `baggage` field (W3C Baggage, §3.3.1). All or nothing: a list with one malformed member, or longer
 * than {@link maxBaggageLength}, is not read at all.
 * @returns the members in their order, or `undefined` for what is not well formed
 */
export function parseBaggage(text: string): readonly BaggageMember[] | undefined {
  if (text.length > maxBaggageLength) return undefined;
  const parts = text.split(",");
  if (parts.length > maxMembers) return undefined;
  const members: BaggageMember[] = [];
  for (const part of parts) {
    const [first, ...rest] = part.split(";");
    const pair = pairOf(first ?? "");
    const properties = rest.map(pairOf);
    if (pair?.value === undefined || properties.includes(undefined)) return undefined;
    members.push({
      key: pair.key,
      value: pair.value,
      properties: properties.flatMap((each) =>
        each === undefined ? [] : each.value === undefined ? [each.key] : [`${each.key}=${each.value}`],
      ),
    });
  }
  return members;
}

/** Writes a `baggage` field. Whole members that do not fit {@link maxBaggageLength} are left out, from the end. */
export function formatBaggage(members: readonly BaggageMember[]): string {
  let text = "";
  for (const { key, value, properties } of members) {
    const part = [`${key}=${value}`, ...properties].join(";");
    const longer = text === "" ? part : `${text},${part}`;
    if (longer.length > maxBaggageLength) break;
    text = longer;
  }
  return text;
}

function pairOf(text: string): { readonly key: string; readonly value: string | undefined } | undefined {
  const equals = text.indexOf("=");
  const key = (equals < 0 ? text : text.slice(0, equals)).replace(edgeSpace, "");
  const value = equals < 0 ? undefined : text.slice(equals + 1).replace(edgeSpace, "");
  return token.test(key) && (value === undefined || octets.test(value)) ? { key, value } : undefined;
}

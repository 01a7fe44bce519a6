import { no, ok, type Result } from "../foundation/result.ts";
import { macBytes, sessionTag } from "./session-profile.ts";
import { dictionaryMembers } from "./structured-dictionary.ts";
import {
  maxComponents,
  maxNonceLength,
  maxSignatureInputLength,
  maxSignatureLength,
  methodComponent,
  signatureTag,
  targetComponent,
} from "./wimse-profile.ts";

/** What a `Signature-Input` says about the one signature with our tag. */
export interface SignatureInput {
  readonly label: string;
  /** Covered components: derived ones and field names, bare. */
  readonly components: readonly string[];
  /** The inner list with its parameters, as it stands in the header: the last line of the signature base. */
  readonly parameters: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly expires: number;
  readonly nonce: string;
  /** `wimse-aud`: whom the request is for. */
  readonly audience: string;
  /** `wimse-sign-response`: the caller wants a signed response. */
  readonly signResponse: boolean;
  /** Whether the proof is by a session's key, and not by the token's. */
  readonly bySession: boolean;
}

/** The inner list and parameters that we sign with. The caller vouches for the characters of every part. */
export function signatureParameters(
  components: readonly string[],
  {
    created,
    expires,
    nonce,
    audience,
    signResponse,
    bySession,
  }: Pick<SignatureInput, "created" | "expires" | "nonce" | "audience"> &
    Partial<Pick<SignatureInput, "signResponse" | "bySession">>,
): string {
  return (
    `("${components.join('" "')}");created=${created};expires=${expires};nonce="${nonce}"` +
    `;tag="${bySession ? sessionTag : signatureTag}";wimse-aud="${audience}"${signResponse ? `;${signResponseParameter}` : ""}`
  );
}

/**
 * Finds the signature with one of our tags, the standard's or that of sessions, and reads it: an inner list of bare names, then `created`, `expires`,
 * `nonce`, `tag`, `wimse-aud`, each once, in any order, and perhaps `wimse-sign-response`. Signatures with
 * other tags are passed over; two with tags of ours are refused. Everything else that structured fields allow is
 * refused, above all component parameters (`;req`, `;sf`, `;bs`, `;key`, `;tr`) and the parameters `keyid` and
 * `alg`, which WIMSE forbids because the token alone says key and algorithm. Only the strict serialisation
 * (RFC 9651 §4.1) is read, because its text is what was signed.
 */
export function parseSignatureInput(header: string): Result<SignatureInput, string> {
  const ours = ourMember(header);
  return ours.ok ? parseMember(ours.value) : ours;
}

/** The text of the one signature with our tag. */
export function ourMember(header: string): Result<string, string> {
  if (header.length > maxSignatureInputLength)
    return no(`Signature-Input is longer than ${maxSignatureInputLength} characters`);
  // One signature is what nearly every request has: its own strict reading is enough.
  const single = onlyMember(header);
  if (single !== undefined) {
    return namesOurTag(single) ? ok(single) : no("no signature has our tag");
  }
  const members = dictionaryMembers(header);
  if (!members.ok) return members;
  const [ours, second] = members.value.filter(({ tag }) => tag === signatureTag || tag === sessionTag);
  if (second !== undefined) return no("two signatures have our tag");
  return ours === undefined ? no("no signature has our tag") : ok(ours.text);
}

/** Whether a parameter of this text is one of our tags. Inside a string a quote is escaped, so none stands there. */
const namesOurTag = (text: string): boolean =>
  text.includes(`;tag="${signatureTag}"`) || text.includes(`;tag="${sessionTag}"`);

/**
 * The one member of a `Signature` header with this label, canonical base64: 64 bytes, r and s of ES256, or the 32 of a
 * session's MAC.
 */
export function parseSignature(
  header: string,
  label: string,
  size: 32 | 64 = 64,
): Result<Uint8Array<ArrayBuffer>, string> {
  if (header.length > maxSignatureLength)
    return no(`Signature is longer than ${maxSignatureLength} characters`);
  const found = memberWithLabel(header, label);
  if (!found.ok) return found;
  const start = `${label}=:`;
  const member = found.value;
  if (
    !member.startsWith(start) ||
    member.length !== start.length + 4 * Math.ceil(size / 3) + 1 ||
    !member.endsWith(":")
  ) {
    return no(`the signature is not a byte sequence of ${size} bytes`);
  }
  return signatureBytes(member.slice(start.length, -1), size);
}

function memberWithLabel(header: string, label: string): Result<string, string> {
  const single = onlyMember(header);
  const members = single === undefined ? dictionaryMembers(header) : undefined;
  if (members?.ok === false) return members;
  const member = single ?? members?.value.find(({ key }) => key === label)?.text;
  return member?.startsWith(`${label}=`) ? ok(member) : no("no signature has the label of Signature-Input");
}

/** The digits whose spare bits are zero: the last of 86 carries four of them, and the last of 43 two. */
const lastDigits = { 64: "AQgw", [macBytes]: "AEIMQUYcgkosw048" } as const;

function signatureBytes(text: string, size: 32 | 64): Result<Uint8Array<ArrayBuffer>, string> {
  const last = text.charAt(size === 64 ? 85 : 42);
  if (last === "" || !lastDigits[size].includes(last)) return no("the signature is not canonical base64");
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    // Its only complaint is that this is not base64, which is what this function reports.
    return no("the signature is not base64");
  }
  // `atob` skips blanks; what is then shorter had some.
  if (binary.length !== size) return no(`the signature is not ${size} bytes`);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = binary.charCodeAt(at);
  return ok(bytes);
}

/** The text of the one member of a header; undefined when it may have several. */
function onlyMember(header: string): string | undefined {
  if (header.includes(",")) return undefined;
  // workerd keeps trailing blanks from the wire.
  return header.startsWith(" ") || header.endsWith(" ") || header.endsWith("\t")
    ? header.replace(/^ +/, "").replace(/[ \t]{1,64}$/, "")
    : header;
}

function parseMember(member: string): Result<SignatureInput, string> {
  const parts = partsOf(member);
  if (!parts.ok) return parts;
  const { label, list, listEnd, parameters: text } = parts.value;
  const components = parseComponents(list);
  if (!components.ok) return components;
  const parameters = parseParameters(member, listEnd + 1);
  return parameters.ok
    ? ok({ label, components: components.value, parameters: text, ...parameters.value })
    : parameters;
}

/** A signature's label, the inside of its list, and the list with its parameters. */
export function partsOf(
  member: string,
): Result<{ label: string; list: string; listEnd: number; parameters: string }, string> {
  const labelEnd = member.indexOf("=");
  const label = member.slice(0, Math.max(0, labelEnd));
  if (!isKey(label)) return no("the label is not a key");
  const listEnd = member.indexOf(")", labelEnd);
  if (member.charAt(labelEnd + 1) !== "(" || listEnd < 0) return no("there is no list of components");
  const list = member.slice(labelEnd + 2, listEnd);
  return ok({ label, list, listEnd, parameters: member.slice(labelEnd + 1) });
}

/** Lists that were found to be sound, by their text: a workload's callers send a handful, and to read one costs as much as all parameters. */
const soundLists = new Map<string, readonly string[]>();
const mostSoundLists = 64;

function parseComponents(list: string): Result<readonly string[], string> {
  const known = soundLists.get(list);
  if (known !== undefined) return ok(known);
  const read = readComponents(list);
  if (read.ok) {
    if (soundLists.size >= mostSoundLists) soundLists.clear();
    soundLists.set(list, read.value);
  }
  return read;
}

function readComponents(list: string): Result<readonly string[], string> {
  if (list === "") return ok([]);
  if (list.length < 2 || !list.startsWith('"') || !list.endsWith('"'))
    return no("the components are not strings");
  const components = list.slice(1, -1).split('" "');
  if (components.length > maxComponents) return no(`there are more than ${maxComponents} components`);
  for (let at = 0; at < components.length; at++) {
    const component = components[at] ?? "";
    if (component !== methodComponent && component !== targetComponent && !isFieldName(component)) {
      return no(
        "a component is neither a lower-case field name nor a derived one that a request needs, or it has parameters",
      );
    }
    if (components.indexOf(component) !== at) return no("a component is listed twice");
  }
  return ok(components);
}

type Parameters = Omit<SignatureInput, "label" | "components" | "parameters">;

const required = ["created", "expires", "nonce", "tag", "wimse-aud"] as const;
const signResponseParameter = "wimse-sign-response";
const allowed: ReadonlySet<string> = new Set([...required, signResponseParameter]);

function parseParameters(text: string, start: number): Result<Parameters, string> {
  const given = readParameters(text, start, allowed);
  if (!given.ok) return given;
  const bySession = given.value.get("tag") === `"${sessionTag}"`;
  const common = commonParameters(given.value, required, bySession ? sessionTag : signatureTag);
  if (!common.ok) return common;
  const { created, expires, nonce, last: audience } = common.value;
  const flag = given.value.get(signResponseParameter);
  if (flag !== undefined && flag !== "") return no(`${signResponseParameter} must be a boolean`);
  return ok({ created, expires, nonce, audience, signResponse: flag === "", bySession });
}

/** What every signature of the profile says, and the text that is required beside: the last of the required ones. */
export interface CommonParameters {
  readonly created: number;
  readonly expires: number;
  readonly nonce: string;
  readonly last: string;
}

/**
 * Reads what every signature of the profile says.
 * @param required the names of all that must be there; the last is that of a text
 * @param tag what `tag` must be
 */
export function commonParameters(
  given: ReadonlyMap<string, string>,
  required: readonly [...string[], string],
  tag: string = signatureTag,
): Result<CommonParameters, string> {
  for (const name of required) {
    if (!given.has(name)) return no(`the parameter ${name} is required`);
  }
  const created = integer(given.get("created"));
  const expires = integer(given.get("expires"));
  if (created === undefined || expires === undefined) return no("created and expires must be integers");
  const nonce = string(given.get("nonce"));
  if (nonce === undefined || nonce === "" || nonce.length > maxNonceLength) {
    return no(`nonce must be a string of 1 to ${maxNonceLength} plain characters`);
  }
  if (string(given.get("tag")) !== tag) return no("tag is not ours");
  const own = required.at(-1) ?? "";
  const last = string(given.get(own));
  return last === undefined
    ? no(`${own} must be a string of plain characters`)
    : ok({ created, expires, nonce, last });
}

/** The text of each parameter by its name; empty for a bare one, which is a boolean true (RFC 8941 §3.1.2). */
export function readParameters(
  text: string,
  start: number,
  known: ReadonlySet<string>,
): Result<ReadonlyMap<string, string>, string> {
  const given = new Map<string, string>();
  let at = start;
  while (at < text.length) {
    if (text.charAt(at) !== ";") return no("the parameters are not in strict form");
    const end = parameterEnd(text, at + 1);
    const equals = text.indexOf("=", at);
    const isBare = equals < 0 || equals >= end;
    const name = text.slice(at + 1, isBare ? end : equals);
    if (name === "keyid" || name === "alg") return no(`the parameter ${name} is forbidden`);
    if (!known.has(name)) return no("a parameter is unknown");
    if (given.has(name)) return no(`the parameter ${name} stands twice`);
    if (equals + 1 === end) return no(`the parameter ${name} has no value`);
    given.set(name, isBare ? "" : text.slice(equals + 1, end));
    at = end;
  }
  return ok(given);
}

/** Where a parameter ends: at the next ";" outside a string, or at the end. */
function parameterEnd(text: string, start: number): number {
  const end = text.indexOf(";", start);
  const quote = text.indexOf('"', start);
  if (quote < 0 || (end >= 0 && end < quote)) return end < 0 ? text.length : end;
  // Our strings hold no escapes, so the next quote closes.
  const closing = text.indexOf('"', quote + 1);
  return closing < 0 ? text.length : closing + 1;
}

/** RFC 8941 §3.3.1 as far as times need it: up to 15 digits, no sign, no leading zero. */
const integer = (text = ""): number | undefined => (plainInteger.test(text) ? Number(text) : undefined);
const plainInteger = /^(?:0|[1-9][0-9]{0,14})$/;

/** A string (RFC 8941 §3.3.3) of printable ASCII without quotes and backslashes, so that nothing has to be unescaped. */
const string = (text = ""): string | undefined => (plainString.test(text) ? text.slice(1, -1) : undefined);
const plainString = /^"[\x20\x21\x23-\x5b\x5d-\x7e]*"$/;

/** A dictionary key (RFC 8941 §3.1.2). */
const isKey = (text: string): boolean => /^[a-z*][a-z0-9_.*-]{0,63}$/.test(text);

/** A field name in lower case (RFC 9110 §5.6.2 tokens, without the characters that no header of ours has). */
export const isFieldName = (text: string): boolean => /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(text);

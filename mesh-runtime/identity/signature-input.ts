import { no, ok, type Result } from "../foundation/result.ts";
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
}

/** The inner list and parameters that we sign with. The caller vouches for the characters of every part. */
export function signatureParameters(
  components: readonly string[],
  { created, expires, nonce, audience }: Pick<SignatureInput, "created" | "expires" | "nonce" | "audience">,
): string {
  return (
    `("${components.join('" "')}");created=${created};expires=${expires};nonce="${nonce}"` +
    `;tag="${signatureTag}";wimse-aud="${audience}"`
  );
}

/**
 * Finds the signature with our tag and reads it: an inner list of bare names, then `created`, `expires`,
 * `nonce`, `tag`, `wimse-aud`, each once, in any order, and perhaps `wimse-sign-response`. Signatures with
 * other tags are passed over; two with ours are refused. Everything else that structured fields allow is
 * refused, above all component parameters (`;req`, `;sf`, `;bs`, `;key`, `;tr`) and the parameters `keyid` and
 * `alg`, which WIMSE forbids because the token alone says key and algorithm. Only the strict serialisation
 * (RFC 9651 §4.1) is read, because its text is what was signed.
 */
export function parseSignatureInput(header: string): Result<SignatureInput, string> {
  if (header.length > maxSignatureInputLength)
    return no(`Signature-Input is longer than ${maxSignatureInputLength} characters`);
  let ours: string | undefined;
  for (const member of members(header)) {
    // Inside a string a quote is escaped, so this text can only be the parameter itself.
    if (!member.includes(`;tag="${signatureTag}"`)) continue;
    if (ours !== undefined) return no("two signatures have our tag");
    ours = member;
  }
  return ours === undefined ? no("no signature has our tag") : parseMember(ours);
}

/**
 * The one member of a `Signature` header with this label: 64 bytes, r and s of ES256, canonical base64.
 */
export function parseSignature(header: string, label: string): Result<Uint8Array<ArrayBuffer>, string> {
  if (header.length > maxSignatureLength)
    return no(`Signature is longer than ${maxSignatureLength} characters`);
  const start = `${label}=:`;
  let found: string | undefined;
  for (const member of members(header)) {
    if (!member.startsWith(`${label}=`)) continue;
    if (found !== undefined) return no("two signatures have one label");
    found = member;
  }
  if (found === undefined) return no("no signature has the label of Signature-Input");
  if (
    !found.startsWith(start) ||
    found.length !== start.length + signatureChars + 1 ||
    !found.endsWith(":")
  ) {
    return no("the signature is not a byte sequence of 64 bytes");
  }
  return signatureBytes(found.slice(start.length, -1));
}

/** 64 bytes in base64. */
const signatureChars = 88;

function signatureBytes(text: string): Result<Uint8Array<ArrayBuffer>, string> {
  // The last of 86 digits carries four bits that must be zero: of A, Q, g and w.
  const last = text.charAt(85);
  if (last !== "A" && last !== "Q" && last !== "g" && last !== "w")
    return no("the signature is not canonical base64");
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    // Its only complaint is that this is not base64, which is what this function reports.
    return no("the signature is not base64");
  }
  // `atob` skips blanks; what is then shorter than 64 bytes had some.
  if (binary.length !== 64) return no("the signature is not 64 bytes");
  const bytes = new Uint8Array(64);
  for (let at = 0; at < 64; at++) bytes[at] = binary.charCodeAt(at);
  return ok(bytes);
}

/** The members of a dictionary: its text at the commas that stand outside strings. */
function members(header: string): readonly string[] {
  if (!header.includes(",")) return [header.trim()];
  const found: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < header.length; at++) {
    const char = header.charAt(at);
    if (char === '"') quoted = !quoted;
    else if (char === "\\" && quoted) at++;
    else if (char === "," && !quoted) {
      found.push(header.slice(start, at).trim());
      start = at + 1;
    }
  }
  found.push(header.slice(start).trim());
  return found;
}

function parseMember(member: string): Result<SignatureInput, string> {
  const labelEnd = member.indexOf("=");
  const label = member.slice(0, Math.max(0, labelEnd));
  if (!isKey(label)) return no("the label is not a key");
  const listEnd = member.indexOf(")", labelEnd);
  if (member.charAt(labelEnd + 1) !== "(" || listEnd < 0) return no("there is no list of components");
  const components = parseComponents(member.slice(labelEnd + 2, listEnd));
  if (!components.ok) return components;
  const parameters = parseParameters(member, listEnd + 1);
  if (!parameters.ok) return parameters;
  return ok({
    label,
    components: components.value,
    parameters: member.slice(labelEnd + 1),
    ...parameters.value,
  });
}

function parseComponents(list: string): Result<readonly string[], string> {
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

function parseParameters(text: string, start: number): Result<Parameters, string> {
  let created: number | undefined;
  let expires: number | undefined;
  let nonce: string | undefined;
  let tag: string | undefined;
  let audience: string | undefined;
  let signResponse = false;
  let at = start;
  while (at < text.length) {
    if (text.charAt(at) !== ";") return no("the parameters are not in strict form");
    const end = parameterEnd(text, at + 1);
    const equals = text.indexOf("=", at);
    const bare = equals < 0 || equals > end;
    const name = text.slice(at + 1, bare ? end : equals);
    const value = bare ? "" : text.slice(equals + 1, end);
    switch (name) {
      case "created":
        if (created !== undefined) return twice(name);
        created = integer(value);
        if (created === undefined) return no("created is not an integer");
        break;
      case "expires":
        if (expires !== undefined) return twice(name);
        expires = integer(value);
        if (expires === undefined) return no("expires is not an integer");
        break;
      case "nonce":
        if (nonce !== undefined) return twice(name);
        nonce = string(value);
        if (nonce === undefined || nonce === "" || nonce.length > maxNonceLength) {
          return no(`nonce is not a string of 1 to ${maxNonceLength} plain characters`);
        }
        break;
      case "tag":
        if (tag !== undefined) return twice(name);
        tag = string(value);
        if (tag !== signatureTag) return no("tag is not ours");
        break;
      case "wimse-aud":
        if (audience !== undefined) return twice(name);
        audience = string(value);
        if (audience === undefined) return no("wimse-aud is not a string");
        break;
      case "wimse-sign-response":
        if (signResponse || !bare) return no("wimse-sign-response is not one boolean true");
        signResponse = true;
        break;
      case "keyid":
      case "alg":
        return no(`the parameter ${name} is forbidden`);
      default:
        return no("a parameter is unknown");
    }
    at = end;
  }
  if (
    created === undefined ||
    expires === undefined ||
    nonce === undefined ||
    tag === undefined ||
    audience === undefined
  ) {
    return no("created, expires, nonce, tag and wimse-aud are all required");
  }
  return ok({ created, expires, nonce, audience, signResponse });
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

const twice = (name: string) => no(`the parameter ${name} stands twice`);

/** RFC 8941 §3.3.1 as far as times need it: up to 15 digits, no sign, no leading zero. */
function integer(text: string): number | undefined {
  if (text.length === 0 || text.length > 15 || (text.length > 1 && text.charAt(0) === "0")) return undefined;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** A string (RFC 8941 §3.3.3) of printable ASCII without quotes and backslashes, so that nothing has to be unescaped. */
function string(text: string): string | undefined {
  const end = text.length - 1;
  if (end < 1 || text.charAt(0) !== '"' || text.charAt(end) !== '"') return undefined;
  for (let at = 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return undefined;
  }
  return text.slice(1, end);
}

/** A dictionary key (RFC 8941 §3.1.2). */
const isKey = (text: string): boolean => /^[a-z*][a-z0-9_.*-]{0,63}$/.test(text);

/** A field name in lower case (RFC 9110 §5.6.2 tokens, without the characters that no header of ours has). */
const isFieldName = (text: string): boolean => /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(text);

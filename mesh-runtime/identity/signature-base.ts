import { no, ok, type Result } from "../foundation/result.ts";

/**
 * The text that is signed (RFC 9421 §2.5): a line for each covered component, and at last the parameters.
 *
 * @param components bare names in the order of `Signature-Input`, each once
 * @param parameters the inner list with its parameters, exactly as in `Signature-Input` without the label
 * @param read a component's value, checked; undefined when the message has none
 */
export function signatureBase(
  components: readonly string[],
  parameters: string,
  read: (component: string) => string | undefined,
): Result<string, string> {
  let base = "";
  for (const component of components) {
    const value = read(component);
    if (value === undefined) return no(`${component} is covered, and the message has no usable value for it`);
    base += `"${component}": ${value}\n`;
  }
  return ok(`${base}"@signature-params": ${parameters}`);
}

/**
 * The request target in origin form: the text of a URL from the end of its authority up to "#", byte for
 * byte. Not `URL.pathname + URL.search`, which loses a lone trailing "?" and so lets two requests share a proof.
 */
export function requestTarget(url: string): string {
  const authority = url.indexOf("://") + 3;
  const start = url.indexOf("/", authority);
  if (start < 0) return "/";
  const end = url.indexOf("#", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/**
 * A field's value as it is signed (RFC 9421 §2.1): without surrounding whitespace, which workerd keeps from
 * the wire. Undefined when it has a character outside printable ASCII: obs-fold, controls, and the letters
 * that workerd lets into header values could make two readers see two texts.
 */
export function fieldValue(raw: string): string | undefined {
  let start = 0;
  let end = raw.length;
  while (start < end && isBlank(raw.charCodeAt(start))) start++;
  while (end > start && isBlank(raw.charCodeAt(end - 1))) end--;
  for (let at = start; at < end; at++) {
    const code = raw.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return undefined;
  }
  return start === 0 && end === raw.length ? raw : raw.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

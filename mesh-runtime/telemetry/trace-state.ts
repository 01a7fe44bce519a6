/** One vendor's entry of `tracestate`. */
export interface StateMember {
  readonly key: string;
  readonly value: string;
}

/** What is passed on, characters: the least that W3C Trace Context, §3.3.1.5, asks every vendor to carry. */
export const maxStateLength = 512;

const maxMembers = 32;
const maxRead = 8_192;
const simpleKey = /^[a-z][a-z0-9_\-*/]{0,255}$/;
const tenantKey = /^[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}$/;
/** Printable ASCII without "," and "=", at most 256 characters, the last one no space. */
const value = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads a `tracestate` field (W3C Trace Context, §3.3.1). All or nothing: a list with one malformed member,
 * a repeated key or more than 32 members is not read at all.
 * @returns the members in their order, or `undefined` for what is not well formed
 */
export function parseTraceState(text: string): readonly StateMember[] | undefined {
  if (text.length > maxRead) return undefined;
  const members: StateMember[] = [];
  const keys = new Set<string>();
  for (const part of text.split(",")) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, "");
    // Empty members are allowed and mean nothing (§3.3.1.1).
    if (member === "") continue;
    const equals = member.indexOf("=");
    const found = { key: member.slice(0, Math.max(0, equals)), value: member.slice(equals + 1) };
    if (!(simpleKey.test(found.key) || tenantKey.test(found.key)) || !value.test(found.value))
      return undefined;
    if (keys.has(found.key) || members.length === maxMembers) return undefined;
    keys.add(found.key);
    members.push(found);
  }
  return members;
}

/**
 * Writes a `tracestate` field of at most {@link maxStateLength} characters. Whole members give way: first those
 * longer than 128 characters, then from the end, where the oldest stand (W3C Trace Context, §3.3.1.5).
 */
export function formatTraceState(members: readonly StateMember[]): string {
  let parts = members.map((member) => `${member.key}=${member.value}`);
  if (lengthOf(parts) > maxStateLength) parts = parts.filter((part) => part.length <= 128);
  while (lengthOf(parts) > maxStateLength) parts.pop();
  return parts.join(",");
}

const lengthOf = (parts: readonly string[]): number => parts.reduce((sum, part) => sum + part.length + 1, -1);

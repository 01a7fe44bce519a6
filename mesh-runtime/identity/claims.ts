import { nestedMember } from "../foundation/nested-member.ts";
import type { Claims, TokenRule } from "./end-user.ts";

/** What a header may hold so that every runtime passes it on as it is: printable ASCII without blanks around it. */
const headerSafe = /^[!-~](?:[ -~]*[!-~])?$/;

/**
 * The headers that a verified token becomes. Claims are texts, numbers and truth values (Istio `ClaimToHeader`); of one that
 * is missing, of another type, or of no form that a header can hold there is no header.
 *
 * @param payload the token's middle part, as it stands there
 */
export function headersOf(
  { claimHeaders, payloadHeader }: TokenRule,
  claims: Claims,
  payload: string,
): readonly (readonly [name: string, value: string])[] {
  const headers: [string, string][] = [];
  for (const { header, claim } of claimHeaders) {
    const text = textOf(named(claims, claim));
    if (text !== undefined && headerSafe.test(text)) headers.push([header, text]);
  }
  if (payloadHeader !== undefined) headers.push([payloadHeader, payload]);
  return headers;
}

/** A claim of the whole name comes before one that its dots lead to: names such as `https://example.com/role` have dots. */
const named = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : nestedMember(claims, name.split("."));

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

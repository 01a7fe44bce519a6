import { nestedMember } from "../foundation/nested-member.ts";
import type { EndUser } from "../identity/end-user.ts";
import { type Doubt, opposite } from "./doubt.ts";
import { oneOf } from "./string-match.ts";
import type { Condition, StringMatch } from "./words.ts";

type UserCondition = Extract<
  Condition,
  { readonly type: "requestPrincipal" | "audiences" | "presenter" | "claim" }
>;

/**
 * What a rule asks of the end user (Istio `request.auth.*`). A claim fits if it is a text that fits, or a list with such a
 * text in it. Istio takes no notice of claims of another type, nor of their end: here a number, a truth value or an object is
 * nothing that lets somebody in, and something that keeps somebody out if it fits as it is written in JSON.
 */
export function userTest(condition: UserCondition, named: Doubt): (user: EndUser | undefined) => boolean {
  const { values, notValues } = condition;
  const among = (user: EndUser | undefined, matches: readonly StringMatch[], doubt: Doubt): boolean =>
    user !== undefined && readings(condition, user, doubt).some((one) => oneOf(matches, one));
  return (user) =>
    (values === undefined || among(user, values, named)) &&
    (notValues === undefined || !among(user, notValues, opposite(named)));
}

/** What there is to compare: alternatives. */
function readings(condition: UserCondition, user: EndUser, doubt: Doubt): readonly string[] {
  switch (condition.type) {
    case "requestPrincipal":
      return [user.principal];
    case "audiences":
      return textsOf(user.claims.aud, doubt);
    case "presenter":
      return textsOf(user.claims.azp, doubt);
    case "claim": {
      const [name = "", ...deeper] = condition.path;
      const value = nestedMember(user.claims, condition.path);
      if (typeof value !== "string" || deeper.length > 0 || !user.spaceDelimited.includes(name))
        return textsOf(value, doubt);
      const items = value.split(" ");
      return doubt === "matches" ? [value, ...items] : items;
    }
  }
}

function textsOf(value: unknown, doubt: Doubt): readonly string[] {
  if (value === undefined) return [];
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.flatMap((item) => {
    if (typeof item === "string") return [item];
    return doubt === "matches" ? [JSON.stringify(item)] : [];
  });
}

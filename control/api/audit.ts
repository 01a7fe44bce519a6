import { policyStore } from "../objects.ts";
import { type Handlers, wholeInQuery } from "./handler.ts";
import { malformed } from "./problems.ts";

/** Entries of one page where no number is asked for, and at most. */
const defaultLimit = 100;
const maxLimit = 1_000;

/** Who changed what. Open to viewers: who watches over changes needs no right to make them. */
export const audit: Handlers<"GET /api/audit"> = {
  "GET /api/audit": async (context) => {
    const after = wholeInQuery(context, "after");
    if (after instanceof Response) return after;
    const limit = wholeInQuery(context, "limit");
    if (limit instanceof Response) return limit;
    if (limit === 0) return malformed("The query parameter limit must be at least 1.");
    const { since, actor, newest } = context.req.query();
    const from = since === undefined ? 0 : Date.parse(since);
    if (Number.isNaN(from))
      return malformed("The query parameter since must be a time such as 2027-01-31T00:00:00Z.");
    const answer = await policyStore(context.env).audit({
      after: after ?? 0,
      limit: Math.min(limit ?? defaultLimit, maxLimit),
      since: from,
      newest: newest === "1",
      ...(actor === undefined ? {} : { actor }),
    });
    return context.json(answer, 200, { "cache-control": "no-store" });
  },
};

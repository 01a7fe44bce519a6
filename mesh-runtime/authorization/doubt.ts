/**
 * Whether a doubt counts as a match. A request may be read in several ways, and sometimes in none: a list
 * that keeps somebody out (what a DENY rule names, what an ALLOW rule excepts) holds if any reading
 * is in it, a list that lets somebody in holds only if all are.
 */
export type Doubt = "matches" | "differs";

/** What is excepted from a list holds the other way. */
export const opposite = (doubt: Doubt): Doubt => (doubt === "matches" ? "differs" : "matches");

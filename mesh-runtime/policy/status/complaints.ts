import type { Condition, DocumentStatus } from "./words.ts";

/** A condition that is not as it should be, and of what. */
export interface Complaint {
  /** Such as `parent default/public`, `listener http` or `target Service/payments`; empty: of the document as a whole. */
  readonly of: string;
  readonly condition: Condition;
}

/** Everything in a status that somebody should look at, in its order. */
export function complaints(status: DocumentStatus): readonly Complaint[] {
  const about = (of: string, conditions: readonly Condition[]): readonly Complaint[] =>
    conditions.filter(isBad).map((condition) => ({ of, condition }));
  if ("parents" in status) {
    return status.parents.flatMap(({ parentRef: { kind, namespace, name }, conditions }) =>
      about(`parent ${kind}/${namespace === undefined ? "" : `${namespace}/`}${name}`, conditions),
    );
  }
  if ("ancestors" in status) {
    return status.ancestors.flatMap(({ ancestorRef: { kind, name }, conditions }) =>
      about(`target ${kind}/${name}`, conditions),
    );
  }
  return [
    ...about("", status.conditions),
    ...status.listeners.flatMap(({ name, conditions }) => about(`listener ${name}`, conditions)),
  ];
}

/** Conditions that are bad when they hold; all others are good. */
const badOnes: readonly string[] = ["Conflicted", "PartiallyInvalid"];

const isBad = ({ type, status }: Condition): boolean => (status === "True") === badOnes.includes(type);

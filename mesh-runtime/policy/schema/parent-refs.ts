import type * as v from "valibot";
import { about, checked, choice, defaulted, type Fault, list, optional, strict } from "./fields.ts";
import { gatewayGroup, group, label, meshGroup, port, subdomain } from "./metadata.ts";

const parentRef = strict({
  group: about(
    optional(group()),
    "Group of the kind; empty for a Service. A Service without group is one of the mesh.",
  ),
  kind: about(defaulted(choice(["Gateway", "Service"]), "Gateway"), "What the route is attached to."),
  namespace: about(optional(label()), "Its namespace; otherwise the route's."),
  name: about(subdomain(), "Its name."),
  sectionName: about(
    optional(subdomain()),
    "One listener of the Gateway; otherwise all that let the route in.",
  ),
  port: about(
    optional(port()),
    "The listeners on this port alone; of a Service, requests whose URL has this port (80 for http, 443 for https, where it says none).",
  ),
});
type ParentRef = v.InferOutput<typeof parentRef>;

/** What a route is attached to, with the rules that Gateway API's CRD has across `parentRefs`. */
export const parentRefs = checked(list(parentRef, 0, 32), function* (refs): Generator<Fault> {
  for (const [index, { kind, group: of, sectionName }] of refs.entries()) {
    const right = kind === "Service" ? ["", meshGroup] : [gatewayGroup];
    if (of !== undefined && !right.includes(of)) {
      yield {
        path: [index, "group"],
        expected: right.map((one) => JSON.stringify(one)).join(" or "),
        found: JSON.stringify(of),
        message: `a ${kind} is not of this group; write ${JSON.stringify(right[0])}`,
      };
    }
    if (kind === "Service" && sectionName !== undefined) yield noSection(index);
  }
  yield* sameParents(refs);
});

/**
 * Of several references to one parent each must say which part of it is meant, in the same way as the others, and
 * none twice. A namespace that is left out is another one than any that is written, as in the CRD.
 */
function* sameParents(refs: readonly ParentRef[]): Generator<Fault> {
  const firsts = new Map<string, ParentRef>();
  const seen = new Set<string>();
  for (const [index, ref] of refs.entries()) {
    const { kind, namespace = "", name, sectionName, port: on } = ref;
    const parent = `${kind} ${namespace}/${name}`;
    const part = `${parent} ${sectionName ?? ""} ${on ?? ""}`;
    const first = firsts.get(parent) ?? ref;
    firsts.set(parent, first);
    const unlike = (["sectionName", "port"] as const).find(
      (member) => (first[member] === undefined) !== (ref[member] === undefined),
    );
    if (seen.has(part)) yield repeatedParent(index, kind);
    else if (unlike !== undefined) yield mixedParents(index, unlike, ref[unlike] !== undefined);
    seen.add(part);
  }
}

const repeatedParent = (index: number, kind: ParentRef["kind"]): Fault => ({
  path: [index],
  expected: `each part of a ${kind} once`,
  found: "the same as before",
  message: `this ${kind} is named already, with the same ${kind === "Gateway" ? "sectionName and port" : "port"}; keep one of the two, or name another part`,
});

const mixedParents = (index: number, member: "sectionName" | "port", here: boolean): Fault => ({
  path: here ? [index, member] : [index],
  expected: `${member} in all references to one parent, or in none`,
  found: here ? `${member}, and an earlier one has none` : `no ${member}, and an earlier one has it`,
  message: `of several references to one parent, all name a ${member} or none does; write or remove it`,
});

const noSection = (index: number): Fault => ({
  path: [index, "sectionName"],
  expected: "no sectionName for a Service",
  found: "sectionName",
  message: "a Service has no sections; remove it, or name a port",
});

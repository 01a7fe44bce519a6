import type * as v from "valibot";
import { about, list, optional, strict } from "./fields.ts";
import { documentOf, gatewayVersions, group, kindName, label, subdomain } from "./metadata.ts";

const spec = strict({
  from: about(
    list(
      strict({
        group: about(group(), "Group of the kind that refers."),
        kind: about(kindName(), "Kind that refers, such as HTTPRoute."),
        namespace: about(label(), "Namespace that it is in."),
      }),
      1,
      16,
    ),
    "Who may refer; alternatives.",
  ),
  to: about(
    list(
      strict({
        group: about(group(), "Group of the kind referred to; empty for a Service."),
        kind: about(kindName(), "Kind referred to, such as Service."),
        name: about(optional(subdomain()), "One document; otherwise all of the kind in this namespace."),
      }),
      1,
      16,
    ),
    "What may be referred to; alternatives.",
  ),
});

export const referenceGrant = documentOf(gatewayVersions, "ReferenceGrant", spec);
export type ReferenceGrant = v.InferOutput<typeof referenceGrant>;

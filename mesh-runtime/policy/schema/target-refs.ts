import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  list,
  repeated,
  type Schema,
  strict,
} from "./fields.ts";
import { label, meshGroup } from "./metadata.ts";

const later = "not supported yet; name the Services";

export interface TargetRef {
  readonly group: string;
  readonly kind: "Service";
  readonly name: string;
}

const members = {
  kind: about(
    choice(["Service"], {
      Gateway: later,
      HTTPRoute: later,
      ServiceEntry: later,
      ServiceImport: later,
      GatewayClass: later,
      Pod: later,
    }),
    "Kind of the target.",
  ),
  name: about(label(), "Name of the Service, in the policy's namespace."),
};

const targetGroup = () => choice(["", meshGroup]);
const aboutGroup = "Group of the kind; empty for a Service.";

/** Services of the policy's own namespace, each once. A policy cannot reach into another one. */
const targets = (ref: Schema<TargetRef>, max: number): Schema<readonly TargetRef[]> =>
  checked(list(ref, 1, max), function* (refs): Generator<Fault> {
    yield* repeated(refs, ({ name }) => name, "target");
  });

/** What a policy of the mesh is for. */
export const targetRefs = targets(
  strict({ group: about(defaulted(targetGroup(), ""), aboutGroup), ...members }),
  64,
);

/** What a policy of Gateway API is for: its CRD wants the group written (`LocalPolicyTargetReference`). */
export const policyTargetRefs = targets(strict({ group: about(targetGroup(), aboutGroup), ...members }), 16);

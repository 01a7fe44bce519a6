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

/** Services of the policy's own namespace. A policy cannot reach into another one. */
export const targetRefs: Schema<readonly TargetRef[]> = checked(
  list(
    strict({
      group: about(defaulted(choice(["", meshGroup]), ""), "Group of the kind; empty for a Service."),
      kind: about(
        choice(["Service"], {
          Gateway: later,
          HTTPRoute: later,
          ServiceEntry: later,
          GatewayClass: later,
          Pod: later,
        }),
        "Kind of the target.",
      ),
      name: about(label(), "Name of the Service, in the policy's namespace."),
    }),
    1,
    64,
  ),
  function* (refs): Generator<Fault> {
    yield* repeated(refs, ({ name }) => name, "target");
  },
);

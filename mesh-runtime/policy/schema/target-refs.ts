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

const targetRef = strict({
  group: about(defaulted(choice(["", meshGroup]), ""), "Group of the kind; empty for a Service."),
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
});

/** Services of the policy's own namespace. A policy cannot reach into another one. */
export const targetRefsUpTo = (max: number): Schema<readonly TargetRef[]> =>
  checked(list(targetRef, 1, max), function* (refs): Generator<Fault> {
    yield* repeated(refs, ({ name }) => name, "target");
  });

export const targetRefs = targetRefsUpTo(64);

import type * as v from "valibot";
import { defaultNamespace } from "../defaults.ts";
import { about, choice, defaulted, optional, strict, unsupported, value } from "./fields.ts";
import { annotations, byControl, coreVersions, label, texts } from "./metadata.ts";

const nobodys = "not read: a namespace is there when a document names it; leave it out";

/** Kubernetes' own kind, read for its labels alone: listeners select namespaces by them. */
export const namespace = strict({
  apiVersion: about(choice(coreVersions), "Group and version."),
  kind: about(choice(["Namespace"]), "What this is."),
  metadata: strict({
    name: about(label(), "The namespace that this speaks of."),
    // A namespace stands in none; it is filed under `default`, so that every document has a place.
    namespace: about(
      defaulted(
        value<typeof defaultNamespace>(
          "left out",
          (input) => input === defaultNamespace,
          () => "a Namespace stands in no namespace; leave it out",
        ),
        defaultNamespace,
      ),
      "A Namespace stands in no other; leave it out.",
    ),
    labels: about(
      optional(texts()),
      "What a listener's `allowedRoutes.namespaces.selector` looks at, beside `kubernetes.io/metadata.name`, which every namespace has.",
    ),
    annotations: about(optional(annotations()), "For people and tools."),
    creationTimestamp: unsupported(byControl),
    uid: unsupported(byControl),
    resourceVersion: unsupported(byControl),
  }),
  spec: unsupported(nobodys),
  status: unsupported(nobodys),
});
export type Namespace = v.InferOutput<typeof namespace>;

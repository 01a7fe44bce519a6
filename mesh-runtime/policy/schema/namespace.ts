import type * as v from "valibot";
import { defaultNamespace } from "../defaults.ts";
import { about, choice, defaulted, optional, strict, value } from "./fields.ts";
import {
  annotations,
  clusterMetadata,
  coreVersions,
  generateName,
  label,
  writtenStatus,
} from "./metadata.ts";
import { texts } from "./texts.ts";

/** What a cluster says of a namespace; here it is there when a document names it. */
const unread = about(
  optional(value<unknown>("anything", () => true)),
  "Written by a cluster. What stands here is not read.",
);

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
    creationTimestamp: unread,
    generateName,
    ...clusterMetadata,
  }),
  spec: unread,
  status: writtenStatus,
});
export type Namespace = v.InferOutput<typeof namespace>;

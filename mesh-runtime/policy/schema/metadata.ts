import * as v from "valibot";
import { timestamp } from "../age.ts";
import { defaultNamespace } from "../defaults.ts";
import {
  about,
  choice,
  defaulted,
  type Entries,
  optional,
  type Schema,
  strict,
  text,
  unsupported,
  value,
} from "./fields.ts";
import { texts } from "./texts.ts";

/** RFC 1123 label: what namespaces and services are called. */
export const label = (): Schema<string> =>
  text(
    "a name of at most 63 lower-case letters, digits and hyphens that begins and ends with a letter or digit",
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    63,
  );

/** RFC 1123 subdomain as Kubernetes reads it: labels with dots between them, each as long as it likes. */
export const subdomain = (): Schema<string> =>
  text(
    "a name of at most 253 lower-case letters, digits, hyphens and dots",
    /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
    253,
  );

/** A group as Gateway API writes it (`Group`); empty for Kubernetes' core. */
export const group = (): Schema<string> =>
  text(
    "a group of kinds",
    /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)?$/,
    253,
  );

/** Gateway API `Kind`. */
export const kindName = (): Schema<string> =>
  text("the name of a kind", /^[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/, 63);

export const isPort = (input: unknown): boolean =>
  Number.isInteger(input) && Number(input) >= 1 && Number(input) <= 65535;

export const port = (): Schema<number> => value("a port from 1 to 65535", isPort);

/**
 * On a Gateway, names the Service whose worker implements it: `name`, or `namespace/name` where a
 * ReferenceGrant of that namespace lets Gateways of this one refer to the Service. Without it, the
 * Service of the Gateway's own name and namespace does, and otherwise the Service `gateway` there.
 */
export const workerAnnotation = "mesh.tulle.dev/worker";
/** On an AuthorizationPolicy, `"true"`: it decides nothing, and what it would decide is told apart. Istio's name means the same. */
export const dryRunAnnotations = ["mesh.tulle.dev/dry-run", "istio.io/dry-run"] as const;
/** On an HTTPRoute, `strict`: signed requests that go by it are let in once in the whole mesh; see `Service.spec.replay`. */
export const replayAnnotation = "mesh.tulle.dev/replay";
const ownAnnotations = "mesh.tulle.dev/";
const readAnnotations: readonly string[] = [workerAnnotation, dryRunAnnotations[0], replayAnnotation];

/** Whether a policy is on a dry run. */
export const isDryRun = ({
  annotations,
}: {
  readonly annotations?: Readonly<Record<string, string>>;
}): boolean => dryRunAnnotations.some((name) => annotations?.[name] === "true");

/** Annotations are anybody's, but those of the mesh must be ones that it reads. */
export const annotations = (): Schema<Readonly<Record<string, string>>> =>
  v.pipe(
    texts(),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const key of Object.keys(dataset.value)) {
        if (!key.startsWith(ownAnnotations) || readAnnotations.includes(key)) continue;
        addIssue({
          expected: readAnnotations.join(" or "),
          received: key,
          message: `the mesh does not read ${key}; remove it, or write ${readAnnotations.join(" or ")}`,
          path: [{ type: "object", origin: "key", input: dataset.value, key, value: key }],
        });
      }
    }),
  );

/** Why a member that Kubernetes writes may not stand in a document. */
export const byControl = "written by a control plane, not read from a document; leave it out";

const unread = about(
  optional(value<unknown>("anything", () => true)),
  "Written by a cluster. What stands here is not read.",
);

/** What a cluster writes into metadata. It may stand in a document, because people apply what `kubectl get` gave them. */
export const clusterMetadata = {
  uid: unread,
  resourceVersion: unread,
  generation: unread,
  managedFields: unread,
  finalizers: unread,
  ownerReferences: unread,
  selfLink: unread,
  deletionTimestamp: unread,
  deletionGracePeriodSeconds: unread,
};

/** A name's beginning, to which a cluster adds the rest where there is no name; there it is judged beside one, too. */
export const generateName = about(
  optional(
    value<string>("the beginning of a name, such as shop-", (input) => {
      if (typeof input !== "string") return false;
      return input === "" || v.is(subdomain(), input.replace(/(?<=.)-$/, "a"));
    }),
  ),
  "Not read: the name counts, which every document has.",
);

const metadata = (name: Schema<string>) =>
  strict({
    name: about(name, "Name, unique for its kind in the namespace."),
    namespace: about(defaulted(label(), defaultNamespace), "Namespace."),
    labels: about(
      optional(texts()),
      "For people and tools; the mesh does not read them, except those of a Namespace.",
    ),
    annotations: about(
      optional(annotations()),
      `For people and tools; the mesh reads \`${workerAnnotation}\` on a Gateway, \`${dryRunAnnotations[0]}\` on an AuthorizationPolicy, and \`${replayAnnotation}\` on an HTTPRoute.`,
    ),
    creationTimestamp: about(
      optional(text("a time such as 2026-01-31T12:00:00Z", timestamp, 30)),
      "When it was created; control writes it. In a document that is new here it counts if it is past, and never afterwards.",
    ),
    generateName,
    ...clusterMetadata,
  });

/**
 * What control says of a document. It may stand in one, because `tulle get -o yaml` prints it there and people apply
 * what they got; it is not read, and a warning says so.
 */
export const writtenStatus = about(
  optional(value<unknown>("anything", () => true)),
  "Written by control. What stands here is not read.",
);

/**
 * The outside of a document of a kind: everything but its spec is alike.
 * @param status of kinds that have one, {@link writtenStatus}
 */
export function documentOf<const Kind extends string, Spec>(
  apiVersions: readonly string[],
  kind: Kind,
  spec: Spec & Schema<unknown>,
  name: Schema<string> = subdomain(),
  status: v.ExactOptionalSchema<Schema<unknown>, undefined> = unsupported(byControl),
) {
  return strict({
    apiVersion: about(choice(apiVersions), "Group and version."),
    kind: about(choice([kind]), "What this is."),
    metadata: about(metadata(name), "What it is called."),
    spec,
    status,
  } satisfies Entries);
}

export const gatewayGroup = "gateway.networking.k8s.io";
export const meshGroup = "mesh.tulle.dev";
/** Kubernetes' core, whose group is empty. */
export const coreVersions = ["v1"] as const;
/** HTTPRoute, Gateway and ReferenceGrant are the same in both. */
export const gatewayVersions = [`${gatewayGroup}/v1`, `${gatewayGroup}/v1beta1`] as const;
/** What Gateway API tries out before it becomes standard. */
export const experimentalVersions = ["gateway.networking.x-k8s.io/v1alpha1"] as const;
export const meshVersions = [`${meshGroup}/v1`] as const;

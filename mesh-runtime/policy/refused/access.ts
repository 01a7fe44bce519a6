import type { DocumentOf } from "../documents.ts";
import { dryRunAnnotations, meshGroup, meshVersions } from "../schema/metadata.ts";
import { listOf, objectOf } from "./values.ts";
import type { Unreadable } from "./words.ts";

type AuthorizationPolicy = DocumentOf<"AuthorizationPolicy">;

/** What stands for a policy that decides about access, and what that means. */
export interface LeftOfAccess {
  readonly document?: AuthorizationPolicy;
  readonly meanwhile: string;
}

/**
 * What stands for an AuthorizationPolicy that is refused: what it would allow is allowed by nobody, and what it would
 * deny is everything. One that decides nothing (AUDIT, a dry run) decides nothing still.
 */
export function leftOfAuthorization(unreadable: Unreadable): LeftOfAccess {
  const value = objectOf(unreadable.value);
  const { action = "ALLOW" } = objectOf(value.spec);
  const isReadable = typeof value.spec === "object" && value.spec !== null;
  if (isReadable && (action === "AUDIT" || isOnDryRun(value)))
    return { meanwhile: "It decided nothing, and nothing is told in its place." };
  const allows = isReadable && action === "ALLOW";
  return {
    document: closing(unreadable, unreadable.name, allows ? "ALLOW" : "DENY", namesOf(unreadable)),
    meanwhile: allows
      ? `It allows nobody to call ${whom(unreadable)}.`
      : `Every call of ${whom(unreadable)} is denied.`,
  };
}

/**
 * What stands for a document that could decide about access in a way that nobody knows here: of a kind that a newer
 * version of Tulle wrote, or one that says which tokens are good. Nobody is let in where it holds.
 */
export function leftOfUnknown(unreadable: Unreadable): Required<LeftOfAccess> {
  const { kind, name } = unreadable;
  return {
    document: closing(
      unreadable,
      `${name}.${kind.toLowerCase()}.refused`,
      "DENY",
      targets(unreadable) ?? unreadable.services,
    ),
    meanwhile: `It could decide who is let in, so every call of ${whom(unreadable)} is denied.`,
  };
}

/** A policy without rules allows nobody; one whose rule says nothing denies everything. */
const closing = (
  { namespace }: Unreadable,
  name: string,
  action: "ALLOW" | "DENY",
  services: readonly string[],
): AuthorizationPolicy => ({
  apiVersion: meshVersions[0],
  kind: "AuthorizationPolicy",
  metadata: { name, namespace },
  spec: {
    ...(services.length === 0
      ? {}
      : { targetRefs: services.map((target) => ({ group: "", kind: "Service" as const, name: target })) }),
    action,
    rules: action === "ALLOW" ? [] : [{}],
  },
});

/** The Services that a policy is for; undefined: all of its namespace, because it says so or cannot be read. */
function targets({ value }: Unreadable): readonly string[] | undefined {
  const { targetRefs: written } = objectOf(objectOf(value).spec);
  const names = listOf(written).map(serviceOf);
  const readable = names.filter((name) => name !== undefined);
  return readable.length > 0 && readable.length === names.length ? readable : undefined;
}

/** The Service that a reference names. A Gateway of the same name is another thing, and so is a Service elsewhere. */
function serviceOf(ref: unknown): string | undefined {
  const { group = "", kind, name, ...others } = objectOf(ref);
  const isService = kind === "Service" && (group === "" || group === meshGroup);
  return isService && typeof name === "string" && Object.keys(others).length === 0 ? name : undefined;
}

/**
 * The Services that a policy names, none for all of its namespace. What is said of a whole namespace is not said of
 * what comes in at a gateway from outside; where targets cannot be read it could have been, so every Service is named.
 */
function namesOf(unreadable: Unreadable): readonly string[] {
  const { targetRefs } = objectOf(objectOf(unreadable.value).spec);
  const isOfNamespace =
    unreadable.value !== undefined && targetRefs === undefined && !isAboutOthers(unreadable);
  return targets(unreadable) ?? (isOfNamespace ? [] : unreadable.services);
}

/** Whether something in it is unknown here that could say what it is for, such as a selector. */
const isAboutOthers = ({ issues }: Unreadable): boolean =>
  issues.some(({ path }) => !/^(?:metadata|spec\.(?:rules|action))(?![A-Za-z])/.test(path));

const whom = (unreadable: Unreadable): string =>
  targets(unreadable)
    ?.map((name) => `${unreadable.namespace}/${name}`)
    .join(", ") ?? `every Service of ${unreadable.namespace}`;

function isOnDryRun(value: Readonly<Record<string, unknown>>): boolean {
  const annotations = objectOf(objectOf(value.metadata).annotations);
  return dryRunAnnotations.some((name) => annotations[name] === "true");
}

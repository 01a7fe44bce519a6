import { type Ages, writtenTime } from "../age.ts";
import { nameOf, type PolicyDocument } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { clusterMetadata } from "../schema/metadata.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** What control prints of a document, and what a cluster writes into it, is not read back from it. */
export function* writtenStatuses({ written, catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const { document } of written) {
    yield* otherTime(document, catalog.ages, issue);
    if (document.status !== undefined) {
      yield issue(document, {
        severity: "warning",
        path: ["status"],
        expected: "no status",
        found: "one",
        message: "The status is written by control, and what stands here is not read; remove it.",
      });
    }
    const unread = unreadMembers(document);
    const [first] = unread;
    if (first === undefined) continue;
    yield issue(document, {
      severity: "warning",
      path: first,
      expected: "nothing that a cluster writes",
      found: unread.map((path) => path.join(".")).join(", "),
      message: `What a cluster writes into a document is not read (${unread.map((path) => path.at(-1)).join(", ")}); it can stay, or be removed.`,
    });
  }
}

/** Of a document that has been here, when it was created is known; another time in it changes nothing. */
function* otherTime(document: PolicyDocument, ages: Ages, issue: CheckedMesh["issue"]): Generator<Issue> {
  const age = ages.get(nameOf(document));
  const written = writtenTime(document);
  if (age === undefined || written === undefined || isSameTime(written, age.at)) return;
  const known = new Date(age.at).toISOString();
  yield issue(document, {
    severity: "warning",
    path: ["metadata", "creationTimestamp"],
    expected: known,
    found: new Date(written).toISOString(),
    message: `${nameOf(document)} has been here since ${known}, and the creationTimestamp in it is not read; remove it. To make a document younger, delete it and create it again.`,
  });
}

/** Kubernetes leaves out what is less than a second. */
const isSameTime = (written: number, known: number): boolean =>
  written === known || written === Math.floor(known / 1_000) * 1_000;

/** The members that a cluster wrote, beside the status. */
function unreadMembers(document: PolicyDocument): readonly (readonly string[])[] {
  const metadata = Object.keys(document.metadata).filter((name) => Object.hasOwn(clusterMetadata, name));
  const paths = metadata.map((name) => ["metadata", name]);
  return document.kind === "Namespace" && document.spec !== undefined ? [...paths, ["spec"]] : paths;
}

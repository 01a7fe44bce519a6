import type { PolicyDocument } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { clusterMetadata } from "../schema/metadata.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** What control prints of a document, and what a cluster writes into it, is not read back from it. */
export function* writtenStatuses({ written, issue }: CheckedMesh): Generator<Issue> {
  for (const { document } of written) {
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

/** The members that a cluster wrote, beside the status. */
function unreadMembers(document: PolicyDocument): readonly (readonly string[])[] {
  const metadata = Object.keys(document.metadata).filter((name) => Object.hasOwn(clusterMetadata, name));
  const paths = metadata.map((name) => ["metadata", name]);
  return document.kind === "Namespace" && document.spec !== undefined ? [...paths, ["spec"]] : paths;
}

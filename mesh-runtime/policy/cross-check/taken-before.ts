import type { Issue } from "../issue.ts";
import { narrowed } from "../narrowed.ts";
import { pathText } from "../source.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/**
 * What a document in force says that is taken from nobody any more. It holds as before; nobody who applies anything
 * else is stopped by it.
 */
export function* takenBefore({ written, issue }: CheckedMesh): Generator<Issue> {
  for (const { document } of written) {
    for (const { message, ...finding } of narrowed(document)) {
      yield issue(document, {
        ...finding,
        severity: "warning",
        message: `${pathText(finding.path)}: ${message}. An earlier version took it and it holds as before, until the document is applied again.`,
      });
    }
  }
}

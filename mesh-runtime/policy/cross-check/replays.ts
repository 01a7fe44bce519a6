import { inboundOf } from "../compile-settings.ts";
import type { Issue } from "../issue.ts";
import { replayAnnotation } from "../schema/metadata.ts";
import { hasWorker } from "../schema/service.ts";
import type { Path } from "../source.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

const values: readonly string[] = ["strict", "window"];

/** Strict replay protection stands where it is read, and where there is something that could be sent again. */
export function* replays({ written, catalog, issue }: CheckedMesh): Generator<Issue> {
  const path: Path = ["metadata", "annotations", replayAnnotation];
  for (const { document } of written) {
    const found = document.metadata.annotations?.[replayAnnotation];
    if (found === undefined) continue;
    if (document.kind !== "HTTPRoute")
      yield issue(document, {
        path,
        expected: "an HTTPRoute",
        found: document.kind,
        message: `${replayAnnotation} is read on an HTTPRoute alone; ${document.kind === "Service" ? "write spec.replay" : "remove the annotation"}.`,
      });
    else if (!values.includes(found))
      yield issue(document, {
        path,
        expected: '"strict" or "window"',
        found: JSON.stringify(found),
        message: `${replayAnnotation} must be "strict" or "window", found ${JSON.stringify(found)}.`,
      });
  }
  for (const [key, service] of catalog.services) {
    const { replay, endpoint, endpoints = [endpoint] } = service.spec;
    if (replay !== "strict" || !hasWorker(service) || inboundOf(catalog, service).evidence !== "binding")
      continue;
    // Who calls by an address or a dispatch namespace signs, whatever weaker evidence is accepted.
    if (endpoints.some((one) => one?.url !== undefined || one?.dispatch !== undefined)) continue;
    yield issue(service, {
      path: ["spec", "replay"],
      expected: "evidence: signature beside replay: strict",
      found: "evidence: binding",
      message: `Callers of ${key} are known by their binding, and send no signature that could be sent again, so that replay: strict would protect nothing; write evidence: signature, or remove replay.`,
    });
  }
}

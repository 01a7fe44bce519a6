import { inboundOf } from "../compile-settings.ts";
import type { Issue } from "../issue.ts";
import { replayAnnotation } from "../schema/metadata.ts";
import { hasWorker } from "../schema/service.ts";
import type { Path } from "../source.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

const values: readonly string[] = ["strict", "window"];

/** The annotation that asks for strict replay protection stands where it is read, with a word that is. */
export function* replays({ written, issue }: CheckedMesh): Generator<Issue> {
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
}

/** Words about signatures of a Service whose callers sign nothing: they would protect nothing. */
export function* signaturesWanted({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const [key, service] of catalog.services) {
    const { replay, responses, endpoint, endpoints = [endpoint] } = service.spec;
    const wanted = replay === "strict" ? "replay" : responses === "signed" ? "responses" : undefined;
    if (wanted === undefined || !hasWorker(service) || inboundOf(catalog, service).evidence !== "binding")
      continue;
    // Who calls by an address or a dispatch namespace signs, whatever weaker evidence is accepted.
    if (endpoints.some((one) => one?.url !== undefined || one?.dispatch !== undefined)) continue;
    const said = `${wanted}: ${service.spec[wanted]}`;
    yield issue(service, {
      path: ["spec", wanted],
      expected: `evidence: signature beside ${said}`,
      found: "evidence: binding",
      message: `Callers of ${key} are known by their binding and sign nothing, so that ${said} would protect nothing; write evidence: signature, or remove ${wanted}.`,
    });
  }
}

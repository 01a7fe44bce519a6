import type * as v from "valibot";
import { about, flag, optional, ratio, type Schema, strict, unsupported, value } from "./fields.ts";
import { documentOf, meshVersions } from "./metadata.ts";
import { targetRefs } from "./target-refs.ts";

const endpoint = (): Schema<string> =>
  value<string>("an https URL without user and query", (input) => {
    if (typeof input !== "string" || !URL.canParse(input)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(input);
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
    return (
      (protocol === "https:" || (protocol === "http:" && local)) && username + password + search + hash === ""
    );
  });

/** What is recorded; the mesh's own settings have the same members. */
export const telemetrySettings = {
  sampleRatio: about(optional(ratio()), "Share of new traces that are recorded; errors always are."),
  accessLog: about(optional(flag()), "Whether every exchange writes one line."),
  otlpEndpoint: about(optional(endpoint()), "Base URL of an OTLP/HTTP collector; `/v1/traces` is appended."),
};

const spec = strict({
  targetRefs: about(optional(targetRefs), "The Services that it is for; otherwise all of its namespace."),
  ...telemetrySettings,
  tracing: unsupported("not supported; write sampleRatio and otlpEndpoint"),
  accessLogging: unsupported("not supported; write accessLog: true"),
  metrics: unsupported("not supported: golden signals are always kept; remove it"),
});

export const telemetry = documentOf(meshVersions, "Telemetry", spec);
export type Telemetry = v.InferOutput<typeof telemetry>;

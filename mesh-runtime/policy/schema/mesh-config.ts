import type * as v from "valibot";
import { about, choice, optional, strict, text } from "./fields.ts";
import { documentOf, meshVersions } from "./metadata.ts";
import { telemetrySettings } from "./telemetry.ts";

/** SPIFFE-ID §2.1. */
export const trustDomain = () =>
  text("a trust domain of lower-case letters, digits, dots, hyphens and underscores", /^[a-z0-9._-]+$/, 255);

const spec = strict({
  trustDomain: about(
    optional(trustDomain()),
    "Trust domain of the mesh. To change it changes every identity.",
  ),
  defaults: about(
    optional(
      strict({
        mode: about(optional(choice(["STRICT", "PERMISSIVE"])), "For every Service that does not say."),
        evidence: about(optional(choice(["binding", "signature"])), "For every Service that does not say."),
        sessionProofs: about(
          optional(choice(["allowed", "refused"])),
          "For every Service that does not say.",
        ),
        ...telemetrySettings,
      }),
    ),
    "What holds where no other document says otherwise.",
  ),
});

export const meshConfig = documentOf(meshVersions, "MeshConfig", spec);
export type MeshConfig = v.InferOutput<typeof meshConfig>;

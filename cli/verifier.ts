import { readFileSync } from "node:fs";
import { no, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import type { Judge } from "@tulle/mesh-runtime/identity/explanation/captured.ts";
import { importPublicJwk, parsePublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { parseSpiffeId, workloadId, workloadOf } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import { loadBundle, type TrustBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { SpiffeId } from "@tulle/mesh-runtime/identity/words.ts";
import { defaultInbound, defaultMode } from "@tulle/mesh-runtime/policy/defaults.ts";
import type { Control } from "./client.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { parsePlace } from "./kinds.ts";

/** Who is to judge, as the command line says it. */
export interface VerifierOptions {
  readonly service?: string;
  readonly namespace?: string;
  readonly audience?: string;
  readonly bundle?: string;
  readonly rootKey?: string;
}

/** With what a request is judged, and what is to be known about that. */
export interface Verifier extends Pick<Judge, "policy" | "bundle"> {
  readonly notes: readonly string[];
}

/**
 * Gathers what a worker would verify its callers with: from control, or from a file with no word to anybody.
 * @param stated whom the request says that it is for, where the command line names nobody
 * @throws Failure when nobody is named, or the bundle cannot be believed
 */
export async function verifierFrom(
  control: Control,
  options: VerifierOptions,
  stated: string | undefined,
): Promise<Verifier> {
  if (options.service !== undefined && options.audience !== undefined)
    throw new Failure(exit.usage, "--service and --audience exclude each other: both say who judges.");
  return options.bundle === undefined
    ? fromControl(control, options, stated)
    : fromFile(options.bundle, options, stated);
}

async function fromControl(
  control: Control,
  options: VerifierOptions,
  stated: string | undefined,
): Promise<Verifier> {
  if (options.rootKey !== undefined)
    throw new Failure(exit.usage, "--root-key is for a bundle from a file: give --bundle, too.");
  const id = options.service === undefined ? judgeNamed(options.audience ?? stated) : undefined;
  const place =
    options.service === undefined
      ? id && workloadOf(id)
      : serviceOf(parsePlace(options.service, options.namespace));
  const answer = await control.verification(place && `${place.namespace}/${place.service}`);
  const bundle = await opened(answer.bundle, answer.rootKeys, "that control published");
  const known = answer.service;
  const self = id ?? judgeNamed(known?.spiffeId);
  if (known !== undefined && known.spiffeId === self.uri)
    return { policy: { self, inbound: known.inbound }, bundle, notes: saidNotes(options) };
  const other = `${self.uri} is no workload of ${bundle.trustDomain}: what it demands is not known, and the mesh's defaults are taken.`;
  return { policy: defaults(self), bundle, notes: [...saidNotes(options), other] };
}

async function fromFile(
  path: string,
  options: VerifierOptions,
  stated: string | undefined,
): Promise<Verifier> {
  const { jws, roots } = bundleIn(textOf(path).trim());
  const given = options.rootKey === undefined ? roots : keysIn(textOf(options.rootKey), options.rootKey);
  const own = given ?? rootsNamedIn(jws);
  const bundle = await opened(jws, own, `in ${path}`);
  const self =
    options.service === undefined
      ? judgeNamed(options.audience ?? stated)
      : named(bundle, serviceOf(parsePlace(options.service, options.namespace)));
  return {
    policy: defaults(self),
    bundle,
    notes: [
      ...saidNotes(options),
      ...(given === undefined
        ? [
            "The bundle is believed by the root keys that it names itself; --root-key says which ones to believe.",
          ]
        : []),
      "What the service demands is not in a bundle: the mesh's defaults are taken (STRICT, evidence signature, bodies up to 1 MiB).",
    ],
  };
}

/** Where nobody says who judges, the request's own word is taken, and cannot be wrong then. */
const saidNotes = ({ service, audience }: VerifierOptions): readonly string[] =>
  service === undefined && audience === undefined
    ? ["It is judged by whom it says that it is for; --service says who got it."]
    : [];

function judgeNamed(audience: string | undefined): SpiffeId {
  if (audience === undefined)
    throw new Failure(
      exit.usage,
      "The request does not say whom it is for, in a form that can be read.",
      "Say who got it: --service payments, or --audience spiffe://…",
    );
  const id = parseSpiffeId(audience);
  if (!id.ok) throw new Failure(exit.usage, `The audience must be ${id.reason}.`);
  return id.value;
}

const serviceOf = ({ namespace, name }: { namespace: string; name: string }) => ({
  namespace,
  service: name,
});

function named({ trustDomain }: TrustBundle, { namespace, service }: ReturnType<typeof serviceOf>): SpiffeId {
  try {
    return workloadId(trustDomain, namespace, service);
  } catch {
    throw new Failure(
      exit.usage,
      "--service must be a name, or namespace/name, of lower-case letters, digits and -.",
    );
  }
}

/** With what a mesh begins whose documents say nothing else. */
const defaults = (self: SpiffeId): Judge["policy"] => ({
  self,
  inbound: { ...defaultInbound, mode: defaultMode, evidence: "signature" },
});

async function opened(
  jws: string,
  roots: readonly unknown[] | undefined,
  which: string,
): Promise<TrustBundle> {
  const keys: CryptoKey[] = [];
  for (const root of roots ?? []) {
    const jwk = parsePublicJwk(root);
    const key: Result<CryptoKey, string> = jwk.ok ? await importPublicJwk(jwk.value) : no(jwk.reason);
    if (!key.ok) throw new Failure(exit.usage, `A root key must be ${key.reason}.`);
    keys.push(key.value);
  }
  // Whether it has run out is one of the checks that are told.
  const bundle = await loadBundle(jws, keys, undefined, 0);
  if (bundle.ok) return bundle.value;
  throw new Failure(exit.wrong, `The trust bundle ${which} cannot be used: ${bundle.reason}.`, rootRemedy);
}

const rootRemedy = "--root-key names a file with the key that signed it: what workers have as TULLE_ROOT.";

/** A bundle as KV has it, or as control's API answers it. */
function bundleIn(text: string): { readonly jws: string; readonly roots: readonly unknown[] | undefined } {
  if (!text.startsWith("{")) return { jws: text, roots: undefined };
  const { bundle, rootKeys } = parsed(text, "The bundle") as { bundle?: unknown; rootKeys?: unknown };
  if (typeof bundle !== "string")
    throw new Failure(exit.usage, 'The bundle must be a compact JWS, or JSON with a member "bundle".');
  return { jws: bundle, roots: Array.isArray(rootKeys) ? rootKeys : undefined };
}

/** One key, or a list of them, as `TULLE_ROOT` has them. */
function keysIn(text: string, path: string): readonly unknown[] {
  const value = parsed(text, path);
  return Array.isArray(value) ? value : [value];
}

/** The root keys that a bundle names, before anybody has looked at its signature. */
function rootsNamedIn(jws: string): readonly unknown[] | undefined {
  try {
    const payload: unknown = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"));
    const roots = (payload as { roots?: unknown } | null)?.roots;
    return Array.isArray(roots) ? roots : undefined;
  } catch {
    // No bundle at all: opening it says so.
    return undefined;
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure(exit.usage, `${what} begins like JSON and is none.`);
  }
}

function textOf(path: string): string {
  return Buffer.from(bytesOf(path)).toString("utf8");
}

/** Bytes of a file above which nobody reads it here: a HAR, or a bundle with ten thousand revocations. */
const maxFileBytes = 64 * 1024 * 1024;

/** @throws Failure (usage) when a file cannot be read, or is larger than anything that is meant */
export function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new Failure(exit.usage, `Cannot read ${path} (${code}).`);
  }
  if (bytes.byteLength <= maxFileBytes) return bytes;
  throw new Failure(exit.usage, `${path} is larger than ${maxFileBytes} bytes.`);
}

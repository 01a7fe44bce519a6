import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { type BundleKey, importBundleKeys } from "@tulle/mesh-runtime/identity/trust-bundle.ts";

/** A SPIFFE bundle of another trust domain, as far as this mesh can use it. */
export interface ForeignBundle {
  /** Absent where it has none (SPIFFE Trust Domain and Bundle §4.1.1: it should). */
  readonly sequence: number | undefined;
  /** How often its publisher wants it to be looked at, milliseconds; absent where it does not say. */
  readonly refreshHintMs: number | undefined;
  readonly keys: readonly BundleKey[];
}

/** Most keys of one other domain: a mesh that rotates every hour has 27. All of them go to every isolate. */
const maxForeignKeys = 32;

/**
 * Reads a SPIFFE bundle (Trust Domain and Bundle §4, WIT-SVID §6), all or nothing: a JWK Set with `spiffe_sequence` and
 * `spiffe_refresh_hint`. Keys of another `use` than `wit-svid`, or of another kind than P-256, are ignored: they
 * verify nothing here. An empty set is a bundle: everything is revoked. Refuses private members, two keys of one
 * `kid`, and keys of our own domain: whoever serves those has been given the wrong address, or would have our issuer
 * speak for him.
 */
export async function readForeignBundle(
  text: string,
  own: readonly BundleKey[],
): Promise<Result<ForeignBundle, string>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    return no("it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return no("it is not a JWK Set with spiffe_sequence and keys");
  const {
    spiffe_sequence: sequence,
    spiffe_refresh_hint: hint,
    keys,
  } = value as Readonly<Record<string, unknown>>;
  if (sequence !== undefined && !(Number.isSafeInteger(sequence) && Number(sequence) >= 0))
    return no("its spiffe_sequence is not a whole number");
  if (hint !== undefined && !(typeof hint === "number" && hint >= 0))
    return no("its spiffe_refresh_hint is not a number of seconds");
  const imported = await importBundleKeys(keys);
  if (!imported.ok) return imported;
  if (imported.value.size > maxForeignKeys)
    return no(`it has ${imported.value.size} keys, and at most ${maxForeignKeys} are taken`);
  const usable = (keys as readonly BundleKey[]).filter(({ kid }) => imported.value.has(kid));
  if (usable.some(({ x, y }) => own.some((ours) => ours.x === x && ours.y === y)))
    return no("it has a key of our own trust domain; correct the address");
  return ok({
    sequence: sequence === undefined ? undefined : Number(sequence),
    refreshHintMs: hint === undefined ? undefined : Number(hint) * 1_000,
    // Member by member: whatever else came with a key stays outside.
    keys: usable.map(({ x, y, kid }) => ({
      kty: "EC",
      crv: "P-256",
      x,
      y,
      alg: "ES256",
      kid,
      use: "wit-svid",
    })),
  });
}

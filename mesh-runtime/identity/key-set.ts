import { no, ok, type Result } from "../foundation/result.ts";
import { holdsSecret } from "./public-jwk.ts";

/** The largest key set that is looked at, bytes or characters: those of large issuers have 10 KB. */
export const maxKeySetSize = 65_536;
/** Most keys of one set. Large issuers publish a handful. */
export const maxKeys = 64;
const maxKidLength = 256;
/** RSA moduli of 2,048 to 8,192 bits in base64url: below is broken, above costs whoever verifies too much. */
const modulus = /^[A-Za-z0-9_-]{342,1366}$/;
/** An RSA exponent is small in honest keys; a large one makes verifying slow. */
const exponent = /^[A-Za-z0-9_-]{1,8}$/;

/**
 * The algorithms of tokens, and the keys that each needs: signatures with a public key, and no others. `none` has no
 * key, and with HS256 everybody who may read the key could sign (RFC 8725 §2.1, §3.1).
 */
const keyFor: Readonly<Record<string, string>> = {
  RS256: "RSA",
  RS384: "RSA",
  RS512: "RSA",
  PS256: "RSA",
  PS384: "RSA",
  PS512: "RSA",
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
  EdDSA: "Ed25519",
  Ed25519: "Ed25519",
};

/** Whether tokens of this algorithm are looked at at all. */
export const isTokenAlgorithm = (alg: unknown): alg is string =>
  typeof alg === "string" && Object.hasOwn(keyFor, alg);

interface PublicKeyMembers {
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** One key of a set. */
interface HeldKey {
  readonly kid: string | undefined;
  /** `RSA`, or the curve. */
  readonly form: string;
  /** The one algorithm that it is for, if its issuer says so. */
  readonly alg: string | undefined;
  /** The members that say what the key is, and no others: platforms refuse a `use` or `ext` that they do not like. */
  readonly jwk: PublicKeyMembers;
}

/** The keys of an issuer at one time. Another reading of the same text is another set. */
export interface KeySet {
  readonly keys: readonly HeldKey[];
}

/**
 * Reads a JSON Web Key Set (RFC 7517 §5). Keys for other purposes and of kinds that are not known here are passed
 * over, as §5 says, and so is one with a private half: what is public cannot prove anything.
 *
 * @returns the keys, or why this is no set that anything could be verified with
 */
export function parseKeySet(text: string): Result<KeySet, string> {
  const listed = listedKeys(text);
  if (!listed.ok) return listed;
  const keys = listed.value.flatMap((jwk) => {
    const key = holdsSecret(jwk) ? undefined : held(jwk);
    return key === undefined ? [] : [key];
  });
  return keys.length === 0 ? no("it has no key for verifying that is known here") : ok({ keys });
}

/** What is wrong with a key set that somebody has written down; undefined: nothing. A secret in it is told, because documents are read by many. */
export function keySetFault(text: string): string | undefined {
  const listed = listedKeys(text);
  if (!listed.ok) return listed.reason;
  if (listed.value.some(holdsSecret)) return "it holds a private or symmetric key; write public keys alone";
  const parsed = parseKeySet(text);
  return parsed.ok ? undefined : parsed.reason;
}

function listedKeys(text: string): Result<readonly Readonly<Record<string, unknown>>[], string> {
  if (text.length > maxKeySetSize) return no(`it is larger than ${maxKeySetSize} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words would quote the text.
    return no("it is not JSON");
  }
  const keys = isObject(value) ? value.keys : undefined;
  if (!Array.isArray(keys)) return no('it is not an object with a list "keys"');
  if (keys.length > maxKeys) return no(`it has more than ${maxKeys} keys`);
  return keys.every(isObject) ? ok(keys) : no("one of its keys is not an object");
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Undefined for a key that verifies nothing here. */
function held(jwk: Readonly<Record<string, unknown>>): HeldKey | undefined {
  const { kty, crv, kid, alg, use, key_ops: operations, n, e } = jwk;
  const form = kty === "RSA" ? "RSA" : kty === "EC" || (kty === "OKP" && crv === "Ed25519") ? crv : undefined;
  if (typeof form !== "string" || !Object.values(keyFor).includes(form)) return undefined;
  if (form === "RSA" && !(fits(n, modulus) && fits(e, exponent))) return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined;
  if (alg !== undefined && !(isTokenAlgorithm(alg) && keyFor[alg] === form)) return undefined;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > maxKidLength)) return undefined;
  return { kid, form, alg, jwk: bare(jwk) as PublicKeyMembers };
}

const bare = ({ kty, crv, x, y, n, e }: Readonly<Record<string, unknown>>): object =>
  kty === "RSA" ? { kty, n, e } : kty === "OKP" ? { kty, crv, x } : { kty, crv, x, y };

const fits = (value: unknown, form: RegExp): boolean => typeof value === "string" && form.test(value);

/**
 * The keys that may have signed a token: of its algorithm, and of its `kid` where both have one. Nothing else
 * of a token's header leads to a key: `jwk`, `jku`, `x5u` and `x5c` are the sender's own word (RFC 8725 §3.10).
 */
export const keysFor = ({ keys }: KeySet, alg: string, kid: string | undefined): readonly HeldKey[] =>
  keys.filter(
    (key) =>
      key.form === keyFor[alg] &&
      (key.alg === undefined || isSame(key.alg, alg)) &&
      (kid === undefined || key.kid === undefined || key.kid === kid),
  );

/** RFC 9864 gives EdDSA over this curve a name of its own. */
const isSame = (one: string, other: string): boolean => one === other || keyFor[one] === "Ed25519";

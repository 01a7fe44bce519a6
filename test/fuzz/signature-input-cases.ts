import { type InnerList, type Item, parseDictionary, serializeInnerList } from "structured-headers";
import { parseContentDigest } from "../../mesh-runtime/identity/content-digest.ts";
import { parseSignature, parseSignatureInput } from "../../mesh-runtime/identity/signature-input.ts";
import { dictionaryMembers } from "../../mesh-runtime/identity/structured-dictionary.ts";
import { signatureTag } from "../../mesh-runtime/identity/wimse-profile.ts";

/*
 * Headers of a proof in every shape that arrives, most of them a sound one with something changed. Whatever our
 * strict readers take, a reader of all of RFC 9651 must understand in the same way.
 */

/** What came out of a fuzz: that it met what it was meant to meet. */
export interface Tally {
  inputs: number;
  /** How many each reader took. */
  readonly taken: Record<"input" | "signature" | "digest" | "dictionary", number>;
}

const parameters =
  'created=1790000000;expires=1790000030;nonce="n-1";tag="wimse-workload-to-workload";wimse-aud="spiffe://example.org/ns/default/sa/payments"';
const ours = `wimse=("@method" "@request-target" "content-type" "workload-identity-token");${parameters}`;
const foreign =
  'sig1=("@authority" "cache-control";sf "x";key="a\\",\\\\");created=1;keyid="a, b";alg="ed25519";tag="web-bot-auth"';
const signature = `wimse=:${"AbC+/9zZ".repeat(10)}AbCdEA==:`;
const other = "sig1=:dGhlIHNpZ25hdHVyZQ==:";
const digest = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

/** Sound headers, from which the others are made. */
const seeds: readonly string[] = [
  ours,
  `${ours};wimse-sign-response`,
  `sig=("@method");${parameters.split(";").toReversed().join(";")}`,
  `${foreign}, ${ours}`,
  `${ours},${foreign}`,
  `${foreign}\t, ${ours} ,a, b;x=?1,c=1.5, d=(a 1 :AA==: "x";y);z=tok/en`,
  `${ours}, ${ours.replace("wimse=", "other=")}`,
  signature,
  `${other}, ${signature}`,
  `${signature}, ${other}, a=1`,
  digest,
  `md5=:Sd/dVLAcvNLSq16eXua5uQ==:, ${digest}`,
];

/** What is put in: each has a meaning somewhere in the grammar, or looks as if it had. */
const pieces: readonly string[] = [
  ...' \t,;=:()"\\?@*-_.%\0\n\r\x7fA0z/+'.split(""),
  "\u00a0",
  "\u0085",
  "é",
  "\u212a",
  "?1",
  "?0",
  ";tag",
  `;tag="${signatureTag}"`,
  `; tag="${signatureTag}"`,
  `;tag=${signatureTag}`,
  ";keyid",
  ";req",
  ";x=1.0",
  ', wimse=("a")',
  ", wimse",
  ',a=")"',
  '\\"',
  "==",
  "999999999999999",
  "1.2345",
  "-0",
  "%d",
  '%"a"',
];

/** A generator of numbers below 2^32 that is the same on every machine (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** One input. */
function anyHeader(next: () => number): string {
  if (next() % 16 === 0) {
    const length = next() % 80;
    let random = "";
    for (let at = 0; at < length; at++) random += String.fromCharCode(next() % 256);
    return random;
  }
  let header = seeds[next() % seeds.length] ?? "";
  for (let changes = next() % 4; changes > 0; changes--) header = changed(header, next);
  return header;
}

function changed(header: string, next: () => number): string {
  const at = next() % (header.length + 1);
  const end = at + (next() % 12);
  const before = header.slice(0, at);
  const piece = pieces[next() % pieces.length] ?? "";
  switch (next() % 6) {
    case 0:
      return before + header.slice(at + 1);
    case 1:
      return before + piece + header.slice(at + 1);
    case 2:
      return before + piece + header.slice(at);
    case 3:
      return before + header.slice(at, end) + header.slice(at);
    case 4:
      return before + header.slice(end);
    default:
      return before + (seeds[next() % seeds.length] ?? "").slice(at);
  }
}

/**
 * Asks our readers and the oracle for so many inputs, always the same ones for a seed.
 *
 * @throws Error with the input where they differ, and whatever one of ours throws, which none may
 */
export function fuzzSignatureInput({ seed, runs }: { readonly seed: number; readonly runs: number }): Tally {
  const next = numbers(seed);
  const tally: Tally = { inputs: 0, taken: { input: 0, signature: 0, digest: 0, dictionary: 0 } };
  for (; tally.inputs < runs; tally.inputs++) {
    const header = anyHeader(next);
    // As `Headers` gives them out (Fetch §2.2): what stands in front has been cut off.
    compare(header.replace(/^[\t\n\r ]+/, ""), tally.taken);
  }
  return tally;
}

/** Compares all readers on one input. */
export function compare(header: string, taken: Tally["taken"]): void {
  let oracle: ReturnType<typeof parseDictionary> | undefined;
  const understood = () => {
    oracle ??= parseDictionary(header);
    return oracle;
  };
  try {
    if (dictionaryMembers(header).ok) {
      taken.dictionary += 1;
      compareMembers(header, understood());
    }
    const input = parseSignatureInput(header);
    if (input.ok) {
      taken.input += 1;
      compareInput(input.value, understood());
    }
    for (const label of ["wimse", "sig1"]) {
      const bytes = parseSignature(header, label);
      if (!bytes.ok) continue;
      taken.signature += 1;
      equal(base64(bytesOf(understood().get(label))), base64(bytes.value), "the signature");
    }
    const stated = parseContentDigest(header);
    if (stated.ok) {
      taken.digest += 1;
      // Spare bits of the last character are judged later: digests are compared as texts.
      equal(base64(bytesOf(understood().get("sha-256"))), recoded(stated.value), "the digest");
    }
  } catch (error) {
    throw new Error(`${JSON.stringify(header)}: ${error instanceof Error ? error.message : "thrown"}`);
  }
}

function compareMembers(header: string, oracle: ReturnType<typeof parseDictionary>): void {
  const members = dictionaryMembers(header);
  if (!members.ok) return;
  equal(members.value.map(({ key }) => key).join(), [...oracle.keys()].join(), "the labels");
  for (const { key, tag } of members.value) {
    const [, theirs] = oracle.get(key) ?? [];
    const stated = theirs?.get("tag");
    // A string that had to be escaped is none that we compare with.
    const plain = typeof stated === "string" && !/["\\]/.test(stated) ? stated : undefined;
    equal(tag, plain, "the tag");
  }
}

function compareInput(
  input: Extract<ReturnType<typeof parseSignatureInput>, { ok: true }>["value"],
  oracle: ReturnType<typeof parseDictionary>,
): void {
  const tagged = [...oracle].filter(([, [, its]]) => its.get("tag") === signatureTag);
  equal(tagged.map(([label]) => label).join(), input.label, "the label");
  const member = oracle.get(input.label);
  if (!isInnerList(member)) throw new Error("the oracle sees no inner list");
  const [items, its] = member;
  if (items.some(([item, more]) => typeof item !== "string" || more.size > 0))
    throw new Error("the oracle sees components that are not bare strings");
  equal(items.map(([item]) => item).join(), input.components.join(), "the components");
  equal(its.get("created"), input.created, "created");
  equal(its.get("expires"), input.expires, "expires");
  equal(its.get("nonce"), input.nonce, "nonce");
  equal(its.get("wimse-aud"), input.audience, "the audience");
  equal(its.get("wimse-sign-response") ?? false, input.signResponse, "wimse-sign-response");
  equal(its.size, input.signResponse ? 6 : 5, "the number of parameters");
  equal(serializeInnerList(member), input.parameters, "the strict serialisation");
}

const isInnerList = (member: Item | InnerList | undefined): member is InnerList => Array.isArray(member?.[0]);

function bytesOf(member: Item | InnerList | undefined): Uint8Array {
  const value = member?.[0];
  if (!(value instanceof ArrayBuffer)) throw new Error("the oracle sees no byte sequence");
  return new Uint8Array(value);
}

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const recoded = (text: string): string => btoa(atob(text));

function equal(theirs: unknown, mine: unknown, what: string): void {
  if (theirs !== mine) throw new Error(`${what}: ${String(theirs)} for one, ${String(mine)} for the other`);
}

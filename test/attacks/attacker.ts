import { contentDigest } from "../../mesh-runtime/identity/content-digest.ts";
import { macOf } from "../unit/identity/agreement.ts";
import {
  caller,
  makeWit,
  nowS,
  rawJws,
  self,
  validClaims,
  validHeader,
  type World,
} from "../unit/identity/fixture.ts";

/*
 * The toolbox of an attacker who knows the standards: it makes whatever request it likes, and signs over whatever it
 * likes, by a second implementation of RFC 9421 that refuses nothing. Left alone it makes a sound request.
 */

export interface Forged {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** The value of Content-Digest; null: none. @default that of the body, if there is one */
  readonly digest?: string | null;
  readonly wit?: string;
  readonly key?: CryptoKey;
  /** Proves by a session: the grant, and the raw key of the MAC. */
  readonly session?: { readonly grant: string; readonly mac: Uint8Array<ArrayBuffer> };
  readonly label?: string;
  /** Serialised, as they stand in the list. @default all that must be covered */
  readonly components?: readonly string[];
  /** Whether a session's grant is left uncovered where `components` does not name it. */
  readonly open?: true;
  /** By name, serialised; undefined leaves one out. */
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  /** The text that is signed, in another form. */
  readonly base?: (base: string) => string;
  /** The raw signature, in another form. */
  readonly signature?: (raw: Uint8Array) => Uint8Array;
  /** What happens on the way: after it was signed. */
  readonly wire?: (headers: Headers) => void;
  /** The request as it arrives, where that is another than was signed. */
  readonly arrives?: { readonly method?: string; readonly url?: string; readonly body?: string | null };
}

export const target = "https://payments/charge?amount=3&note=";
const mustCover =
  /^(?:content-type|content-digest|authorization|txn-token|workload-identity-token|tulle-.*)$/;

let nonces = 0;
const quoted = (text: string): string => `"${text}"`;

export async function forge(world: World, forged: Forged = {}): Promise<Request> {
  const { method = "POST", url = target, body, wire, arrives = {} } = forged;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const headers = new Headers({ "content-type": "application/json", "tulle-hops": "1", ...forged.headers });
  const digest =
    forged.digest === undefined ? (bytes === undefined ? null : await contentDigest(bytes)) : forged.digest;
  if (digest !== null) headers.set("content-digest", digest);
  headers.set("workload-identity-token", forged.wit ?? world.credential.wit);
  if (forged.session !== undefined) headers.set("tulle-session", forged.session.grant);

  // The grant is no part of what an attack leaves open, unless it says so.
  const beside = forged.session === undefined || forged.open ? [] : [quoted("tulle-session")];
  const chosen = forged.components && [...forged.components, ...beside];
  const components =
    chosen ??
    ["@method", "@request-target", ...[...headers.keys()].filter((name) => mustCover.test(name))].map(quoted);
  const parameters: Record<string, string | undefined> = {
    created: String(nowS),
    expires: String(nowS + 30),
    nonce: quoted(`attack-${nonces++}`),
    tag: quoted(forged.session === undefined ? "wimse-workload-to-workload" : "tulle-session-v1"),
    "wimse-aud": quoted(self),
    ...forged.parameters,
  };
  const stated = Object.entries(parameters)
    .filter(([, text]) => text !== undefined)
    .map(([name, text]) => (text === "" ? `;${name}` : `;${name}=${text}`));
  const input = `(${components.join(" ")})${stated.join("")}`;
  const { origin } = new URL(url);
  const covered = (component: string): string => {
    const name = component.slice(1, component.indexOf('"', 1));
    if (name === "@method") return method;
    if (name === "@request-target") return url.slice(origin.length).split("#")[0] ?? "";
    return /^[\w-]+$/.test(name) ? (headers.get(name)?.trim() ?? "") : "";
  };
  const plain = [
    ...components.map((component) => `${component}: ${covered(component)}`),
    `"@signature-params": ${input}`,
  ].join("\n");
  const text = forged.base?.(plain) ?? plain;
  const key = forged.key ?? world.keys.privateKey;
  const raw =
    forged.session === undefined ? await signatureOf(key, text) : await macOf(forged.session.mac, text);
  const label = forged.label ?? "wimse";
  headers.set("signature-input", `${label}=${input}`);
  headers.set("signature", `${label}=:${base64(forged.signature?.(raw) ?? raw)}:`);
  wire?.(headers);
  const sent = arrives.body === undefined ? bytes : arrives.body === null ? undefined : arrives.body;
  return new Request(arrives.url ?? url, {
    method: arrives.method ?? method,
    headers,
    ...(sent === undefined ? {} : { body: typeof sent === "string" ? new TextEncoder().encode(sent) : sent }),
  });
}

async function signatureOf(key: CryptoKey, text: string): Promise<Uint8Array> {
  const es256 = { name: "ECDSA", hash: "SHA-256" };
  return new Uint8Array(await crypto.subtle.sign(es256, key, new TextEncoder().encode(text)));
}

export const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/** The other signature for the same: ECDSA takes s and n - s alike. */
export function mirrored(raw: Uint8Array): Uint8Array {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${[...raw.slice(32)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
  const other = (order - s).toString(16).padStart(64, "0").match(/../g) ?? [];
  const both = raw.slice();
  both.set(
    other.map((hex) => Number.parseInt(hex, 16)),
    32,
  );
  return both;
}

/** A token with these members of header and claims in the place of sound ones, signed by the issuer; undefined leaves one out. */
export const token = (
  world: World,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> =>
  rawJws(
    JSON.stringify({ ...validHeader, ...header }),
    JSON.stringify({ ...validClaims(world.keys), ...claims }),
    world.issuer,
  );

/** A token by its texts. */
export const tokenOf = (world: World, header: string, claims: string): Promise<string> =>
  rawJws(header, claims, world.issuer);

export { caller, makeWit, self };

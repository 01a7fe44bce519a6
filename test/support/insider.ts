import { contentDigest } from "../../mesh-runtime/identity/content-digest.ts";
import { credentialFrom, generateKeys, provePossession } from "../../mesh-runtime/identity/credential.ts";
import { signMessage } from "../../mesh-runtime/identity/proof.ts";
import type { Credential } from "../../mesh-runtime/identity/words.ts";
import type { TestMesh } from "../../mesh-runtime/testing/index.ts";

/** A request as it is delivered to a worker. */
export interface Delivery {
  readonly url: string;
  readonly init: {
    readonly method: string;
    readonly headers: Headers;
    readonly body?: Uint8Array<ArrayBuffer>;
  };
}

export interface Signing {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Name of the service that the proof is for. */
  readonly audience: string;
  /** How far the signer's clock is ahead of ours, milliseconds. @default 0 */
  readonly clockMs?: number;
  readonly nonce?: string;
}

/** A workload of a test mesh that is not held to anything: it has a real credential, and signs whatever a test wants. */
export interface Insider {
  readonly credential: Credential;
  sign(signing: Signing): Promise<Delivery>;
}

/** Joins a test mesh from this process, over HTTP with a join token, as the Service `name`. */
export async function joinAs(mesh: TestMesh, name: string): Promise<Insider> {
  const made = await mesh.api("/api/identity/tokens", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ service: name }),
  });
  const { token } = (await made.json()) as { token: string };
  const keys = await generateKeys();
  const workload = `default/${name}`;
  const now = Date.now();
  const possession = await provePossession({
    ...keys,
    workload,
    trustDomain: undefined,
    joinToken: token,
    now,
    jti: crypto.randomUUID(),
  });
  const response = await fetch(`${mesh.operator.url}/workload/join`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      version: 1,
      isolate: crypto.randomUUID(),
      publicJwk: keys.publicJwk,
      possession,
      workload,
      joinToken: token,
    }),
  });
  const answer = (await response.json()) as { wit: string };
  const credential = credentialFrom(answer.wit, keys, now, Math.random);
  if (!credential.ok) throw new Error(credential.reason);
  return insiderWith(credential.value);
}

function insiderWith(credential: Credential): Insider {
  return {
    credential,
    async sign({ url, method = "GET", body, audience, clockMs = 0, nonce = crypto.randomUUID(), ...given }) {
      const headers = new Headers(given.headers);
      const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
      if (bytes !== undefined) headers.set("content-digest", await contentDigest(bytes));
      const signed = await signMessage(
        { method, url, headers },
        {
          audience: `spiffe://${credential.id.trustDomain}/ns/default/sa/${audience}`,
          credential,
          now: Date.now() + clockMs,
          nonce,
        },
      );
      if (!signed.ok) throw new Error(signed.reason);
      return { url, init: { method, headers, ...(bytes === undefined ? {} : { body: bytes }) } };
    },
  };
}

import type { Answer, Message } from "../../mesh-runtime/foundation/exchange.ts";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { ok } from "../../mesh-runtime/foundation/result.ts";
import { credentialFrom, generateKeys } from "../../mesh-runtime/identity/credential.ts";
import { type Recipient, signed } from "../../mesh-runtime/identity/signed.ts";
import { parseSpiffeId } from "../../mesh-runtime/identity/spiffe-id.ts";
import { WitCache } from "../../mesh-runtime/identity/svid.ts";
import type { TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import type { Credential } from "../../mesh-runtime/identity/words.ts";
import { makeWit, makeWorld, now, self, value } from "../unit/identity/fixture.ts";
import { isolate, loadedPolicy } from "./journey.ts";

/*
 * An attacker between a caller that wants signed answers and a callee that signs them: both journeys are real, and what
 * comes back is the attacker's to change.
 */

/** Whom caller and callee believe. */
export const world = await makeWorld();
/** Of the callee. */
export const payments = await credentialOf(self, "payments-token");
/** Of another workload of the mesh, that would like to be taken for the callee. */
export const other = await credentialOf(self.replace("payments", "refunds"), "refunds-token");

async function credentialOf(sub: string, jti: string): Promise<Credential> {
  const keys = await generateKeys();
  return value(credentialFrom(await makeWit({ ...world, keys }, { sub, jti }), keys, now, () => 0.5));
}

/** Who is asked, and what is demanded of it. */
export const recipient = (settings: Partial<Recipient["settings"]> = {}): Recipient => ({
  id: value(parseSpiffeId(self)),
  settings: {
    evidence: "signature",
    largeBody: "reject",
    maxDigestBytes: 64,
    responses: "signed",
    ...settings,
  },
});

/** A request, and what becomes of it on its way. */
export interface Way {
  /** What the application answers. @default 200 with a text */
  readonly handler?: () => Promise<Response>;
  readonly method?: string;
  readonly settings?: Partial<Recipient["settings"]>;
  /** Whose credential the callee has; null: none. @default its own */
  readonly by?: Credential | null;
  /** How much later the answer arrives, milliseconds. */
  readonly lateMs?: number;
  /** Whom the caller believes. @default everybody of the mesh */
  readonly trust?: () => TrustBundle;
  /** What becomes of the answer on its way. */
  readonly on?: (
    answer: Response,
    request: Request,
    arrive: (request: Request) => Promise<Response>,
  ) => Response | Promise<Response>;
}

interface Come {
  /** "believed", or the refusal with its step. */
  readonly ending: string;
  readonly status?: number;
  readonly text?: string;
  readonly headers?: Headers;
  readonly handled: number;
}

let nonces = 0;
/** A nonce that was never used. */
export const nonce = (): string => `answer-nonce-${nonces++}`;

/** Asks the callee, with the attacker between. */
export async function ask(way: Way = {}): Promise<Come> {
  const { handler = async () => new Response("paid", { headers: { "content-type": "text/plain" } }) } = way;
  const { by = payments, method = "POST", settings = {}, on = (answer) => answer } = way;
  let handled = 0;
  let time = now;
  const clock = { now: () => time };
  const loaded = await loadedPolicy((snapshot) => ({
    ...snapshot,
    inbound: { ...snapshot.inbound, maxDigestBytes: 64, largeBody: settings.largeBody ?? "reject" },
  }));
  const counted = (): Promise<Response> => {
    handled++;
    return handler();
  };
  const signing = { credential: () => by ?? undefined, nonce };
  const callee = isolate(loaded, () => world.bundle, counted, undefined, undefined, signing);
  const step = signed({
    credential: () => world.credential,
    clock,
    nonce,
    answers: { trust: way.trust ?? (() => world.bundle), cache: new WitCache(), clock },
  }).wrap<{ message: Message; recipient: Recipient }>(async ({ message }): Promise<Answer> => {
    const init = {
      method: message.method,
      headers: [...message.headers],
      body: message.body as BodyInit | null,
    };
    const request = new Request(message.url, init);
    const arrive = async (one: Request): Promise<Response> => {
      const { status, headers, body } = await callee.arrive(one);
      return new Response(body === "" ? null : new TextEncoder().encode(body), { status, headers });
    };
    const answer = await arrive(request.clone());
    time += way.lateMs ?? 0;
    return ok(await on(answer, request, arrive));
  });
  const message: Message = {
    url: new URL("https://payments/charge?amount=3"),
    method,
    headers: new Fields(),
    body: method === "POST" ? new TextEncoder().encode("3 coins") : null,
  };
  const answer = await step({ message, recipient: recipient(settings) });
  if (!answer.ok) {
    const { reason } = answer;
    const told = reason.kind === "answer-unverified" ? ` ${reason.step}: ${reason.detail}` : "";
    return { ending: `${reason.kind}${told}`, handled };
  }
  const { status, headers } = answer.value;
  return { ending: "believed", status, headers, text: await answer.value.text(), handled };
}

/** The same answer with other headers. */
export const wire = (change: (headers: Headers, answer: Response) => void) => (answer: Response) => {
  const changed = new Response(answer.body, answer);
  change(changed.headers, answer);
  return changed;
};
/** The same answer with something else in its `signature-input`. */
export const input = (from: string | RegExp, to: string) =>
  wire((headers) => headers.set("signature-input", headers.get("signature-input")?.replace(from, to) ?? ""));
/** What a proof consists of. */
export const proofNames = ["workload-identity-token", "signature-input", "signature"] as const;

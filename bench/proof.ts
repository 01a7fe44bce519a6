/**
 * What a proof costs beside the cryptography that it cannot do without: signing and verifying a request, against raw
 * WebCrypto ES256 over the same signature base, with the caller's token in the cache. And the bytes that it adds.
 * workerd's clock stands still while code runs, so times are taken from outside, over many proofs in one request,
 * less what the same request takes without any. `again` is the raw operation once more: how far it is from the
 * first is how far no ratio can be trusted. Beside them the same proofs by a session, and what it takes to have one.
 *
 *     node bench/proof.ts [--rounds 200]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runInWorkerd } from "@tulle/mesh-runtime/testing";
import { quantile, shuffled, textWorker } from "./support.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "200" } } });
const rounds = Number(values.rounds);
/** In one request, so that the way there and back weighs little. */
const proofs = 100;
/** Rounds before the ones that count: until the compiler has settled. */
const warmUp = 60;

const steps = [
  "nothing",
  "raw sign",
  "raw sign again",
  "sign",
  "raw verify",
  "raw verify again",
  "verify",
  "session sign",
  "session verify",
  "begin a session",
  "be granted a session",
] as const;
type Step = (typeof steps)[number];

const moduleAt = (file: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../mesh-runtime/${file}`, import.meta.url)));

const worker = `
  import { CompactSign } from "jose";
  import { Fields } from ${moduleAt("foundation/fields.ts")};
  import { credentialFrom, generateKeys } from ${moduleAt("identity/credential.ts")};
  import { signMessage, verifyMessage } from ${moduleAt("identity/proof.ts")};
  import { importPublicJwk } from ${moduleAt("identity/public-jwk.ts")};
  import { GrantedSessions } from ${moduleAt("identity/granted-sessions.ts")};
  import { beginSession, openGrant } from ${moduleAt("identity/session-grant.ts")};
  import { importSessionKeys } from ${moduleAt("identity/session-keys.ts")};
  import { ReplayWindow } from ${moduleAt("identity/replay.ts")};
  import { WitCache } from ${moduleAt("identity/svid.ts")};

  const es256 = { name: "ECDSA", hash: "SHA-256" };
  const audience = "spiffe://example.org/ns/default/sa/payments";
  const must = (result) => {
    if (!result.ok) throw new Error(JSON.stringify(result.reason));
    return result.value;
  };
  const request = () => ({
    method: "POST",
    url: "http://payments/charge?amount=3",
    headers: new Fields(new Headers({
      "content-type": "application/json",
      "content-digest": "sha-256=:sJB/9efbJMQTlvJ0LgV4yBGUn/QChdx7OSzAHJivK9M=:",
      accept: "application/json",
      "user-agent": "bench",
      traceparent: "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01",
      "tulle-hops": "1",
      "tulle-epoch": "12",
      "tulle-deadline-ms": "9000",
      "tulle-attempt-credits": "3",
    })),
  });
  const size = (headers) => {
    let bytes = 0;
    headers.forEach((value, name) => { bytes += name.length + value.length + 4; });
    return bytes;
  };

  async function prepared() {
    const now = Date.now();
    const [issuer, keys] = await Promise.all([generateKeys(), generateKeys()]);
    const nowS = Math.floor(now / 1000);
    const claims = {
      sub: "spiffe://example.org/ns/default/sa/web", iat: nowS, nbf: nowS - 60, exp: nowS + 3600,
      jti: "AAAAAAAAAAAAAAAAAAAAAA", cnf: { jwk: keys.publicJwk },
    };
    const wit = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "ES256", typ: "wit+jwt", kid: "issuer-1" }).sign(issuer.privateKey);
    const bundle = {
      trustDomain: "example.org", sequence: 1, expiresAt: now + 86400000,
      keys: new Map([["issuer-1", must(await importPublicJwk(issuer.publicJwk))]]),
      revoked: { tokens: new Set(), keys: new Set(), workloads: new Map() },
    };
    const credential = must(credentialFrom(wit, keys, now, () => 0.5));
    const signed = [];
    for (let at = 0; at < ${proofs}; at++) {
      const message = request();
      must(await signMessage(message, { audience, credential, now, nonce: "bench-nonce-" + at }));
      signed.push(message);
    }
    const pair = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
    const { x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
    const serviceKeys = await importSessionKeys([{ publicKey: x, secret: d, from: now - 1, until: now + 3600000 }]);
    const session = await beginSession(audience, x, credential, now);
    const macs = [];
    for (let at = 0; at < ${proofs}; at++) {
      const message = request();
      must(await signMessage(message, { audience, credential, now, nonce: "bench-mac-" + at, session }));
      macs.push(message);
    }
    const sessions = { keys: serviceKeys, granted: new GrantedSessions() };
    const [{ headers }] = signed;
    // As long as the base that a proof of this request has.
    const base = new TextEncoder().encode("x".repeat(size(headers) - 100));
    const signature = await crypto.subtle.sign(es256, keys.privateKey, base);
    const verifyKey = must(await importPublicJwk(keys.publicJwk));
    return { now, keys, credential, bundle, signed, base, signature, verifyKey, cache: new WitCache(), bare: request(), session, macs, sessions, serviceKey: x };
  }

  const rawSign = (its) => crypto.subtle.sign(es256, its.keys.privateKey, its.base);
  const rawVerify = (its) => crypto.subtle.verify(es256, its.verifyKey, its.signature, its.base);
  let nonces = 0;
  const doing = {
    nothing: () => undefined,
    "raw sign": rawSign,
    "raw sign again": rawSign,
    sign: async (its) => must(await signMessage(its.bare, {
      audience, credential: its.credential, now: its.now, nonce: "nonce-of-a-bench-" + nonces++,
    })),
    "raw verify": rawVerify,
    "raw verify again": rawVerify,
    verify: async (its, at, replay) => must(await verifyMessage(its.signed[at], {
      audience, bundle: its.bundle, cache: its.cache, replay, now: its.now,
    })),
    "session sign": async (its) => must(await signMessage(its.bare, {
      audience, credential: its.credential, now: its.now, nonce: "nonce-of-a-bench-" + nonces++, session: its.session,
    })),
    "session verify": async (its, at, replay) => must(await verifyMessage(its.macs[at], {
      audience, bundle: its.bundle, cache: its.cache, replay, now: its.now, sessions: its.sessions,
    })),
    "begin a session": (its) => beginSession(audience, its.serviceKey, its.credential, its.now),
    "be granted a session": async (its) => must(await openGrant(its.session.grant, {
      audience, keys: its.sessions.keys, wit: its.credential.wit, now: its.now,
      caller: { id: its.credential.id, proofKey: its.verifyKey, expiresAt: its.credential.expiresAt },
    })),
  };
  let its;
  export default { async fetch(asked) {
    if (asked.method === "POST") {
      its = await prepared();
      const before = size(request().headers);
      const [{ headers }] = its.signed;
      const proved = size(its.macs[0].headers);
      return Response.json({ before, after: size(headers), proved, token: headers.get("workload-identity-token").length });
    }
    const step = doing[new URL(asked.url).searchParams.get("step")];
    const replay = new ReplayWindow();
    for (let at = 0; at < ${proofs}; at++) await step(its, at, replay);
    return new Response("done");
  } };`;

const workerd = await runInWorkerd([textWorker("proof", worker)], { onLog: () => undefined });
try {
  const answer = await workerd.dispatchFetch("http://proof/", { method: "POST" });
  const sizes = (await answer.json()) as {
    readonly before: number;
    readonly after: number;
    readonly proved: number;
    readonly token: number;
  };
  const times = new Map<Step, number[]>(steps.map((step) => [step, []]));
  for (let round = -warmUp; round < rounds; round++)
    for (const step of shuffled(steps)) {
      const took = await timed(step);
      if (round >= 0) times.get(step)?.push(took);
    }
  print(times);
  console.log(
    `\nheaders added: ${sizes.after - sizes.before} bytes (HTTP/1.1), ${sizes.token} of them the token, which is the same on every request; ${sizes.proved - sizes.before} by a session`,
  );
} finally {
  await workerd.dispose();
}

/** Microseconds of one request that does a step so often. */
async function timed(step: Step): Promise<number> {
  const started = performance.now();
  const answer = await workerd.dispatchFetch(`http://proof/?step=${encodeURIComponent(step)}`);
  if ((await answer.text()) !== "done") throw new Error(`Cannot measure ${step}: the worker failed`);
  return (performance.now() - started) * 1_000;
}

function print(times: ReadonlyMap<Step, readonly number[]>): void {
  const median = (step: Step): number => quantile(times.get(step) ?? [], 0.5);
  const each = (step: Step): number => (median(step) - median("nothing")) / proofs;
  console.log("microseconds each, p50         µs   × raw");
  for (const step of steps.slice(1)) {
    const raw = /verify|granted/.test(step) ? "raw verify" : "raw sign";
    const ratio = each(step) / each(raw);
    console.log(`${step.padEnd(24)} ${each(step).toFixed(1).padStart(8)} ${ratio.toFixed(2).padStart(7)}`);
  }
}

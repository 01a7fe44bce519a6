import { CompactSign } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { httpControl } from "../../mesh-runtime/adapters/web/control-client.ts";
import { sha256Text } from "../../mesh-runtime/identity/bytes.ts";
import { generateKeys, verifyPossession, type WorkloadKeys } from "../../mesh-runtime/identity/credential.ts";
import { makeOpener, sealedKeysType, sealKeys } from "../../mesh-runtime/identity/sealed-keys.ts";
import type { IssuedSessionKey } from "../../mesh-runtime/identity/session-keys.ts";
import { signDocument } from "../../mesh-runtime/identity/signed-document.ts";
import { membership } from "../../mesh-runtime/membership.ts";
import { CircuitBook } from "../../mesh-runtime/resilience/circuit-book.ts";
import { Instruments } from "../../mesh-runtime/telemetry/instruments.ts";
import type { JoinAnswer, JoinRequest } from "../../mesh-runtime/workload-contract.ts";
import { issuedKey } from "../unit/identity/agreement.ts";
import { type ControlWorld, controlWorld, StandIn, start } from "../unit/journeys/control-stand-in.ts";

/*
 * An attacker between a process outside of Cloudflare and control: he has got into TLS, reads what they say and changes it.
 * He wants the process to have a key for sessions that he knows: with it he could write requests, by grants of callers that
 * he has seen, which it believes. The process joins as Deno's do, by the client and the membership that it has there.
 */

let world: ControlWorld;
let mallory: WorkloadKeys;
/** The keys that the service has, those of another service, and those that he made. */
let [ours, another, his]: readonly IssuedSessionKey[][] = [];
beforeAll(async () => {
  [world, mallory] = await Promise.all([controlWorld(), generateKeys()]);
  [ours, another, his] = await Promise.all(
    Array.from({ length: 3 }, async () => [await issuedKey(start, start + 3_600_000)]),
  );
});

let control: StandIn;
beforeEach(() => {
  control = new StandIn(world);
  control.keys = (request, wit) => sealed(ours, request.sealingKey, wit);
});

interface Sealing {
  readonly by?: WorkloadKeys;
  readonly type?: string;
  readonly change?: object;
}

/** Sealed keys as control makes them, or as he does. */
async function sealed(
  keys: readonly IssuedSessionKey[] = [],
  sealingKey = "",
  wit = "",
  { by = world.root, type = sealedKeysType, change = {} }: Sealing = {},
): Promise<Pick<JoinAnswer, "sealedSessionKeys">> {
  const document = await sealKeys(keys, sealingKey, wit);
  return { sealedSessionKeys: await signDocument({ ...document, ...change }, type, "root", by.privateKey) };
}

/** What he makes of an answer. */
type Relay = (answer: JoinAnswer, request: JoinRequest) => Promise<Partial<JoinAnswer>> | Partial<JoinAnswer>;

/** Which keys a process has after a join through him, and how many answers it refused keys of. */
async function joinedThrough(relay: Relay, times = 1): Promise<readonly [names: string[], refused: number]> {
  const instruments = new Instruments();
  const fetched = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const request = JSON.parse(new TextDecoder().decode(init?.body as Uint8Array)) as JoinRequest;
    const answer: JoinAnswer = await control.join(request);
    return Response.json({ ...answer, ...(await relay(answer, request)) });
  };
  const url = "https://control.example.com";
  const client = { url, credential: () => undefined, now: () => start, nonce: () => "nonce" };
  let names: string[] = [];
  for (let joins = 0; joins < times; joins++) {
    const members = membership({
      control: httpControl({ ...client, fetch: fetched as typeof fetch }),
      missingControl: "",
      coldStart: async () => undefined,
      pinnedRoots: [world.root.publicJwk],
      clock: { now: () => start },
      random: () => 0.5,
      wait: () => new Promise(() => undefined),
      background: { run: () => undefined },
      instruments,
      book: new CircuitBook(() => 0.5),
      log: () => undefined,
      uuid: () => crypto.randomUUID(),
      sealing: makeOpener,
      workload: "default/web",
    });
    expect((await members.ready()).ok).toBe(true);
    names = (members.current()?.credential?.sessionKeys ?? []).map(({ name }) => name);
  }
  return [names, instruments.drain().counters.session_keys_refused ?? 0];
}

const none: string[] = [];

describe("an attacker between a process and control", () => {
  test("who changes nothing has it get the keys of its service, and reads none of them", async () => {
    let seen = "";
    const relay: Relay = (answer) => {
      seen = JSON.stringify(answer);
      return {};
    };
    expect(await joinedThrough(relay)).toEqual([ours?.map(({ publicKey }) => publicKey), 0]);
    for (const { publicKey, secret } of ours ?? [])
      expect([seen.includes(publicKey), seen.includes(secret)]).toEqual([false, false]);
  });

  test.each<[what: string, Relay, refused: number]>([
    ["none", () => ({ sealedSessionKeys: undefined }) as never, 0],
    ["his own, as they are", () => ({ sealedSessionKeys: undefined, sessionKeys: his }) as never, 0],
    [
      "his own, as they are, beside a seal that does not open",
      () => ({ sealedSessionKeys: "a.b.c", sessionKeys: his ?? [] }),
      1,
    ],
    [
      "his own, sealed for this very join, and signed by himself",
      ({ wit }, { sealingKey }) => sealed(his, sealingKey, wit, { by: mallory }),
      1,
    ],
    [
      "his own, signed by himself, with his key in the header",
      async ({ wit }, { sealingKey = "" }) => {
        const payload = new TextEncoder().encode(JSON.stringify(await sealKeys(his ?? [], sealingKey, wit)));
        const header = { alg: "ES256", typ: sealedKeysType, kid: "root", jwk: { ...mallory.publicJwk } };
        return {
          sealedSessionKeys: await new CompactSign(payload)
            .setProtectedHeader(header)
            .sign(mallory.privateKey),
        };
      },
      1,
    ],
    [
      "his own, sealed for this very join, under the root's signature of what control sealed",
      async ({ wit, sealedSessionKeys = "" }, { sealingKey }) => {
        const [head, , signature] = sealedSessionKeys.split(".");
        const [, payload] = (await sealed(his, sealingKey, wit)).sealedSessionKeys?.split(".") ?? [];
        return { sealedSessionKeys: `${head}.${payload}.${signature}` };
      },
      1,
    ],
    [
      "another service's, which he has joined: sealed for this very key, signed by the root, with his token",
      (_, { sealingKey }) => sealed(another, sealingKey, "the token of another service"),
      1,
    ],
    [
      "those of a join of his own",
      async ({ wit }) => sealed(another, (await makeOpener()).sealingKey, wit),
      1,
    ],
    [
      "what the root signed as something else, for this very token and key",
      ({ wit }, { sealingKey }) => sealed(his, sealingKey, wit, { type: "tulle-head+jwt" }),
      1,
    ],
    [
      "the seal of another token under this one's hash",
      async ({ wit }, { sealingKey }) =>
        sealed(his, sealingKey, "another token", { change: { wth: await sha256Text(wit) } }),
      1,
    ],
  ])("who gives it %s has it take none, and its callers sign", async (_, relay, refused) => {
    expect(await joinedThrough(relay)).toEqual([none, refused]);
  });

  test("who gives it the keys of an earlier join of its own has it take none", async () => {
    let kept: string | undefined;
    const relay: Relay = ({ sealedSessionKeys = "" }) => {
      kept ??= sealedSessionKeys;
      return { sealedSessionKeys: kept };
    };
    expect(await joinedThrough(relay, 2)).toEqual([none, 1]);
  });

  test("who has control seal for a key of his own is declined: the proof of possession names the process's", async () => {
    await joinedThrough(() => ({}));
    const [request] = control.joined;
    if (request === undefined) throw new Error("nobody joined");
    const { possession, publicJwk, sealingKey = "" } = request;
    const expected = { trustDomain: "mesh.local", workload: "default/web", now: start };
    const judged = async (change: { readonly sealingKey?: string }) =>
      (await verifyPossession(possession, publicJwk, { ...expected, ...change })).ok;
    expect(await judged({ sealingKey })).toBe(true);
    expect(await judged({ sealingKey: (await makeOpener()).sealingKey })).toBe(false);
    expect(await judged({})).toBe(false);
  });
});

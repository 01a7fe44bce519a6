import { decodeJwt } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeys, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { makeOpener, sealedKeysType, sealKeys } from "../../../mesh-runtime/identity/sealed-keys.ts";
import type { IssuedSessionKey } from "../../../mesh-runtime/identity/session-keys.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { type Membership, type MembershipPorts, membership } from "../../../mesh-runtime/membership.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import type { JoinRequest } from "../../../mesh-runtime/workload-contract.ts";
import { issuedKey } from "../identity/agreement.ts";
import { type ControlWorld, controlWorld, StandIn, start } from "./control-stand-in.ts";

let world: ControlWorld;
let issued: readonly IssuedSessionKey[];
let expected: readonly string[];
beforeAll(async () => {
  world = await controlWorld();
  issued = [await issuedKey(start, start + 3_600_000)];
  expected = issued.map(({ publicKey }) => publicKey);
});

let now = start;
let control: StandIn;
let ports: MembershipPorts;
let instruments: Instruments;
let background: Promise<unknown>[];

beforeEach(() => {
  now = start;
  control = new StandIn(world);
  instruments = new Instruments();
  background = [];
  ports = {
    control,
    missingControl: "",
    coldStart: async () => undefined,
    pinnedRoots: undefined,
    clock: { now: () => now },
    random: () => 0.5,
    // Reports are not waited for; only the limits of time, which are 5 s, never pass.
    wait: (ms) => (ms === 5_000 ? new Promise(() => undefined) : Promise.resolve()),
    background: { run: (work) => background.push(work) },
    instruments,
    book: new CircuitBook(() => 0.5),
    log: () => undefined,
    uuid: () => crypto.randomUUID(),
    workload: "",
  };
});

const counted = (counter: string): number => instruments.drain().counters[counter] ?? 0;

describe("keys for sessions", () => {
  const names = (of: Membership) => (of.current()?.credential?.sessionKeys ?? []).map(({ name }) => name);
  /** As control answers over HTTP; by a key that it likes. */
  const sealedBy =
    (by: () => WorkloadKeys) =>
    async ({ sealingKey = "" }: JoinRequest, wit: string) => {
      const document = (await sealKeys(issued, sealingKey, wit)) ?? {};
      const sealedSessionKeys = await signDocument(document, sealedKeysType, "root", by().privateKey);
      return { sealedSessionKeys };
    };
  const plain = async () => ({ sessionKeys: issued });
  const joined = async (change: Partial<MembershipPorts>) => {
    const own = membership({ ...ports, ...change });
    expect((await own.ready()).ok).toBe(true);
    return own;
  };
  const sealing = makeOpener;

  test("are taken from a binding as they are, and no sealing key is sent there", async () => {
    control.keys = async (request, wit) => ({
      ...(await plain()),
      ...(await sealedBy(() => world.root)(request, wit)),
    });
    expect(names(await joined({}))).toEqual(expected);
    expect(control.joined.at(-1)).not.toHaveProperty("sealingKey");
    control.keys = sealedBy(() => world.root);
    expect(names(await joined({}))).toEqual([]);
    expect(counted("session_keys_refused")).toBe(0);
  });

  test("come sealed over a network, for a key that each join has anew and its proof of possession names", async () => {
    control.keys = sealedBy(() => world.root);
    const own = await joined({ sealing });
    expect(names(own)).toEqual(expected);
    expect(counted("session_keys_refused")).toBe(0);
    now = start + 1_800_000;
    own.touch();
    await Promise.all(background);
    expect(names(own)).toEqual(expected);
    const sent = control.joined.map(({ sealingKey }) => sealingKey);
    expect(new Set(sent).size).toBe(2);
    expect(control.joined.map(({ possession }) => decodeJwt(possession).sk)).toEqual(sent);
  });

  test.each<[string, StandIn["keys"], refused: number]>([
    ["are not taken plain", plain, 0],
    ["are none where a control from before sends none", async () => ({}), 0],
    ["are none where another key than a root signed them", sealedBy(() => world.issuers[0]), 1],
    ["are none in the form of something else", async () => ({ sealedSessionKeys: 7 }) as never, 1],
    [
      "are none where they are for another join, with plain ones beside them",
      async (_, wit) => {
        const { sealingKey } = await makeOpener();
        return {
          ...(await plain()),
          ...(await sealedBy(() => world.root)({ sealingKey } as JoinRequest, wit)),
        };
      },
      1,
    ],
  ])("%s over a network, and the join holds", async (_, keys, refused) => {
    control.keys = keys;
    const own = await joined({ sealing });
    expect(names(own)).toEqual([]);
    expect(own.current()?.credential).toBeDefined();
    expect(counted("session_keys_refused")).toBe(refused);
  });

  test("are none, plain ones neither, where the runtime cannot open them", async () => {
    control.keys = plain;
    const own = await joined({
      sealing: async () => {
        throw new DOMException("Unrecognized name.", "NotSupportedError");
      },
    });
    expect(names(own)).toEqual([]);
    expect(control.joined.at(-1)).not.toHaveProperty("sealingKey");
  });

  test("are believed under the next root key once the bundle of the join names it", async () => {
    const next = await generateKeys();
    control.roots = [world.root.publicJwk, next.publicJwk];
    control.keys = sealedBy(() => next);
    expect(names(await joined({ sealing }))).toEqual(expected);
    expect(names(await joined({ sealing, pinnedRoots: [world.root.publicJwk] }))).toEqual([]);
  });
});

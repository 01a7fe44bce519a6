import {
  type Answer,
  type Arrival,
  blankNotes,
  type Noted,
  type Notes,
} from "../../../mesh-runtime/foundation/exchange.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { contentDigest } from "../../../mesh-runtime/identity/content-digest.ts";
import {
  type IdentifiedPorts,
  type IdentityPolicy,
  identified,
} from "../../../mesh-runtime/identity/identified.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import type { Identified, Principal } from "../../../mesh-runtime/identity/words.ts";
import { makeWorld, now, self, signedMessage, value, type World } from "./fixture.ts";

/** Whom the isolate believes. */
export const world: World = await makeWorld();

const strict: IdentityPolicy["inbound"] = {
  mode: "STRICT",
  evidence: "signature",
  maxDigestBytes: 1_024,
  largeBody: "reject",
};
/** Where every request of these tests goes. */
export const url = "https://payments/charge?amount=3";

interface Judged {
  /** "accepted", or the kind of refusal, with the step of the identity that failed. */
  readonly outcome: string;
  readonly principal: Principal | undefined;
  /** What the rest of the journey got; undefined when it was not reached. */
  readonly request: Request | undefined;
  readonly said: Identified["said"] | undefined;
  readonly oneUse: Identified["oneUse"];
  readonly notes: Notes;
  readonly counted: readonly string[];
}

/** Has a request judged as it arrives. */
export async function arrive(
  request: Request,
  inbound: Partial<IdentityPolicy["inbound"]> = {},
  { bindingProps, ...ports }: Partial<IdentifiedPorts> & Pick<Partial<Arrival>, "bindingProps"> = {},
): Promise<Judged> {
  const counted: string[] = [];
  const notes: Notes = blankNotes();
  let reached: Identified | undefined;
  const judge = identified({
    trust: () => world.bundle,
    cache: new WitCache(),
    replay: new ReplayWindow(),
    clock: { now: () => now },
    count: (counter) => counted.push(counter),
    ...ports,
  }).wrap<Arrival & Noted & { policy: IdentityPolicy }>(async (exchange): Promise<Answer> => {
    reached = exchange;
    return ok(new Response("handled"));
  });
  const answer = await judge({
    request,
    bindingProps,
    startedAt: now,
    background: { run: () => undefined },
    notes,
    policy: { self: value(parseSpiffeId(self)), inbound: { ...strict, ...inbound } },
  });
  const step = answer.ok || answer.reason.kind !== "unidentified" ? "" : ` ${answer.reason.step}`;
  return {
    outcome: answer.ok ? "accepted" : answer.reason.kind + step,
    principal: reached?.principal,
    request: reached?.request,
    said: reached?.said,
    oneUse: reached?.oneUse,
    notes,
    counted,
  };
}

/** A request with a valid proof, and what belongs to its body. */
export async function proven(
  body?: string,
  headers: Record<string, string> = {},
  digested = true,
): Promise<Request> {
  const all = new Headers({ "x-app": "1", ...headers });
  if (body !== undefined && digested)
    all.set("content-digest", await contentDigest(new TextEncoder().encode(body)));
  await signedMessage(world, { method: "POST", url, headers: all });
  return sent(all, body);
}

/** Bytes, as the transport sends them: a text would bring a content type of its own along. */
export const sent = (headers: Headers, body?: string): Request =>
  new Request(url, {
    method: "POST",
    headers,
    ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }),
  });

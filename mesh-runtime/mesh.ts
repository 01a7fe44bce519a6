import type { Decide } from "./authorization/decide.ts";
import type { Arrival, Cause, Message } from "./foundation/exchange.ts";
import { header, meshNamesIn } from "./foundation/headers.ts";
import type { Step } from "./foundation/layer.ts";
import type { Background, Clock, FetchDocument, Random, Transport } from "./foundation/ports.ts";
import { problemOf, problemResponse } from "./foundation/problem.ts";
import type { Handle } from "./handled.ts";
import { BodyRoom } from "./identity/body-room.ts";
import type { TokenRules } from "./identity/end-user.ts";
import { GrantedSessions } from "./identity/granted-sessions.ts";
import { KeySets } from "./identity/key-sets.ts";
import { ReplayWindow } from "./identity/replay.ts";
import type { MakeOpener } from "./identity/sealed-keys.ts";
import { Sessions } from "./identity/sessions.ts";
import { WitCache } from "./identity/svid.ts";
import { TokenCache } from "./identity/token-cache.ts";
import type { Credential, PublicJwk } from "./identity/words.ts";
import { type Arriving, inbound } from "./inbound.ts";
import type { ColdStart, Member } from "./member.ts";
import { type Membership, membership } from "./membership.ts";
import { type Leaving, outbound } from "./outbound.ts";
import { meshTraffic } from "./policy/defaults.ts";
import type { Loaded, LoadedDestination } from "./policy/loaded.ts";
import { InFlight } from "./resilience/admitted.ts";
import { CircuitBook } from "./resilience/circuit-book.ts";
import { RetryBudgets } from "./resilience/retried.ts";
import type { TrafficSettings } from "./resilience/words.ts";
import { EndpointLoads } from "./routing/balancing/endpoint-loads.ts";
import type { Here, Target } from "./routing/words.ts";
import type { Ids } from "./telemetry/ids.ts";
import { Instruments } from "./telemetry/instruments.ts";
import type { ControlPort } from "./workload-contract.ts";

/** Everything that a runtime has to bring. */
export interface MeshPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  /** Resolves after `ms`; rejects when the signal fires. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly background: Background;
  readonly transport: Transport;
  /** Fetches the keys of issuers of end users' tokens, past the mesh. */
  readonly fetchDocument: FetchDocument;
  /** Control, as far as this worker is bound to it; over HTTP its requests are signed with the credential. */
  readonly control: (credential: () => Credential | undefined) => ControlPort | undefined;
  readonly missingControl: string;
  readonly coldStart: () => Promise<ColdStart | undefined>;
  readonly pinnedRoots: readonly PublicJwk[] | undefined;
  readonly joinToken?: string;
  /** Has the platform vouch for a new key, by its RFC 7638 thumbprint, where it can. */
  readonly attest?: (thumbprint: string) => Promise<string>;
  /** What opens a service's keys for sessions, where joins go over a network. Absent: they go over a binding. */
  readonly sealing?: MakeOpener;
  readonly workload: string;
  readonly uuid: () => string;
  /** Where this isolate runs, as far as it knows. @default nothing is known */
  readonly here?: () => Here | undefined;
  /** One line of the access log. */
  readonly log: (line: string) => void;
  /** An exception that nobody expected, or the application's own. */
  readonly crashed: (error: unknown) => void;
}

/** A request that the application sends, as the adapter took it over. */
export interface Call {
  readonly message: Message;
  readonly signal: AbortSignal | undefined;
  readonly cause: Cause | undefined;
}

/** The mesh inside one isolate. */
export interface Mesh {
  /** Joins if need be, then lets a request through the inbound journey to `handle`. Never throws. */
  arrive(arrival: Arrival, handle: Handle): Promise<Response>;
  /** Joins if need be. Answers a finished problem response when that is not possible. */
  ready(): Promise<Loaded | Response>;
  /** Lets a call out to a service of the mesh. `loaded` is what the causing request keeps. Never throws. */
  depart(call: Call, loaded: Loaded, destination: LoadedDestination): Promise<Response>;
  /** Lets a request from outside through a gateway listener's routes. Never throws. */
  enter(call: Call, loaded: Loaded, listener: Target): Promise<Response>;
  /** What is in force now; undefined before the first join. */
  loaded(): Loaded | undefined;
  /** Sends what is due to control and takes in what comes back. False when another report is under way: nobody waits for it. */
  report(): Promise<boolean>;
  /** For runtimes that live on while nothing arrives: sees to it that credential and policy do not grow old. */
  tend(): void;
}

interface Journeys {
  readonly inbound: Step<Arriving, Response>;
  readonly outbound: Step<Leaving, Response>;
}

/** Makes the mesh of one isolate: plain data and two journeys; nothing begins before the first request. */
export function createMesh(ports: MeshPorts): Mesh {
  const { clock, background } = ports;
  const instruments = new Instruments();
  const book = new CircuitBook(ports.random);
  const control = ports.control(() => usable(members.current(), clock.now()));
  const members = membership({ ...ports, control, instruments, book });
  const journeysOf = journeyMaker(ports, members, instruments, book);

  async function ready(): Promise<Loaded | Response> {
    const member = await members.ready();
    return member.ok ? member.value.loaded : problemResponse(problemOf(member.reason));
  }

  async function leave(
    call: Call,
    loaded: Loaded,
    target: Target,
    traffic: TrafficSettings,
    entry?: Decide,
    entryUsers?: TokenRules,
  ): Promise<Response> {
    const { message } = call;
    message.headers.set(header.epoch, String(members.current()?.loaded.epoch ?? loaded.epoch));
    const startedAt = clock.now();
    const response = await journeysOf(loaded).outbound({
      ...call,
      startedAt,
      background,
      target,
      traffic,
      policy: loaded,
      entry,
      entryUsers,
    });
    members.touch();
    return withoutMeshHeaders(response);
  }

  return {
    ready,
    async arrive(arrival, handle) {
      const loaded = await ready();
      if (loaded instanceof Response) return loaded;
      const response = await journeysOf(loaded).inbound({ ...arrival, policy: loaded, handle });
      members.touch();
      return response;
    },
    depart: (call, loaded, destination) => leave(call, loaded, destination, destination.settings.traffic),
    enter: (call, loaded, listener) =>
      leave(call, loaded, listener, meshTraffic, loaded.entry, loaded.entryUsers),
    loaded: () => members.current()?.loaded,
    report: () => members.report(),
    tend: () => members.touch(),
  };
}

const nowhere = (): undefined => undefined;

/** Makes the two journeys for a snapshot once, and keeps those of the one in force. */
function journeyMaker(
  ports: MeshPorts,
  members: Membership,
  instruments: Instruments,
  book: CircuitBook,
): (loaded: Loaded) => Journeys {
  const { clock } = ports;
  const witCache = new WitCache();
  const replay = new ReplayWindow();
  const granted = new GrantedSessions();
  const sessions = new Sessions();
  const bodies = new BodyRoom();
  const users = {
    clock,
    keySets: new KeySets({
      clock,
      fetch: ports.fetchDocument,
      wait: ports.wait,
      count: (counter) => instruments.count(counter),
    }),
    tokens: new TokenCache(),
    count: (counter: string) => instruments.count(counter),
  };
  const arriving = new InFlight();
  const leaving = new InFlight();
  const budgets = new RetryBudgets(ports.random);
  const loads = new EndpointLoads(ports.random);
  let nonces: (() => string) | undefined;
  let held: { readonly loaded: Loaded; readonly journeys: Journeys } | undefined;

  const nonce = (): string => {
    nonces ??= nonceSource(ports.uuid);
    return nonces();
  };

  const crashed = (error: unknown): void => {
    instruments.count("crashes");
    ports.crashed(error);
  };

  return (loaded) => {
    if (held?.loaded === loaded) return held.journeys;
    const tracing = {
      ...ports,
      instruments,
      workload: loaded.snapshot.workload,
      settings: () => loaded.snapshot.telemetry,
      epoch: () => loaded.epoch,
    };
    const journeys: Journeys = {
      inbound: inbound({
        clock,
        tracing,
        crashed,
        identity: {
          trust: () => members.current()?.trust,
          refreshTrust: members.refreshTrust,
          cache: witCache,
          replay,
          bodies,
          clock,
          sessions: { keys: () => members.current()?.credential?.sessionKeys ?? [], granted },
          signing: { credential: members.credential, nonce },
          count: (counter) => instruments.count(counter),
        },
        users,
        hear: (epoch) => hearEpoch(members, epoch),
        askAdmission: members.askAdmission,
        inFlight: arriving,
        tell: () => ({
          epoch: members.current()?.loaded.epoch ?? loaded.epoch,
          circuits: book.gossip(clock.now()),
        }),
      }),
      outbound: outbound({
        ...ports,
        tracing,
        crashed,
        inFlight: leaving,
        budgets,
        book,
        loads,
        users,
        here: ports.here ?? nowhere,
        askPermit: members.askPermit,
        credential: members.credential,
        nonce,
        sessions,
        answers: {
          trust: () => members.current()?.trust,
          refreshTrust: members.refreshTrust,
          cache: witCache,
          clock,
        },
        hear: (epoch, circuits) => {
          hearEpoch(members, epoch);
          if (circuits !== null) book.hear(circuits, clock.now());
        },
      }),
    };
    held = { loaded, journeys };
    return journeys;
  };
}

/** A credential signs only while it lives (draft-ietf-wimse-workload-creds-02: not used after its expiry). */
function usable(member: Member | undefined, now: number): Credential | undefined {
  const credential = member?.credential;
  return credential !== undefined && credential.expiresAt > now ? credential : undefined;
}

/** Nonces that are unique without a call for randomness each: a random prefix for the isolate, and a count. */
function nonceSource(uuid: () => string): () => string {
  const prefix = uuid().replaceAll("-", "").slice(0, 20);
  let count = 0;
  return () => `${prefix}${(count++).toString(36)}`;
}

function hearEpoch(members: Membership, text: string | null): void {
  if (text !== null && /^[0-9]{1,15}$/.test(text)) members.hearEpoch(Number(text));
}

/** Responses leave the mesh without its headers: they mean nothing to an application, and nothing outside may see them. */
function withoutMeshHeaders(response: Response): Response {
  const ours = meshNamesIn(response.headers);
  if (ours.length === 0) return response;
  const answer = new Response(response.body, response);
  for (const name of ours) answer.headers.delete(name);
  return answer;
}

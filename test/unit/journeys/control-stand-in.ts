import { CompactSign } from "jose";
import { generateKeys, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { bundleType } from "../../../mesh-runtime/identity/trust-bundle.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import type {
  AdmitAnswer,
  AdmitRequest,
  ControlPort,
  Declined,
  JoinAnswer,
  JoinRequest,
  ReportRequest,
} from "../../../mesh-runtime/workload-contract.ts";
import { documents, service } from "../policy/writing.ts";

/** When everything here begins, milliseconds since the Unix epoch. */
export const start = 1_790_000_000_000;
export const startS = start / 1_000;

/** What a control stands on, which its workloads hear of. */
export interface ControlWorld {
  readonly snapshot: Snapshot;
  readonly root: WorkloadKeys;
  readonly issuers: readonly [WorkloadKeys, WorkloadKeys];
}

/** A mesh of one workload, `default/web`. */
export async function controlWorld(): Promise<ControlWorld> {
  const [root, first, second] = await Promise.all([generateKeys(), generateKeys(), generateKeys()]);
  const snapshot = compile(documents(service("web"))).get("default/web");
  if (snapshot === undefined) throw new Error("nothing was compiled");
  return { snapshot, root, issuers: [first, second] };
}

/** A control whose newest bundle and signing key a test can change. */
export class StandIn implements ControlPort {
  readonly #world: ControlWorld;
  sequence = 1;
  /** Which of the two issuer keys signs and is published. */
  turn: 0 | 1 = 0;
  revoked: readonly object[] = [];
  signedBy: WorkloadKeys;
  joins = 0;
  /** What the joins brought. */
  readonly joined: JoinRequest[] = [];
  /** Keys for sessions, as an answer brings them. */
  keys: (request: JoinRequest, wit: string) => Promise<Partial<JoinAnswer>> = async () => ({});
  /** Whose tokens its joins bring; the workload's own unless a test says otherwise. */
  sub: string | undefined;
  /** How many of the next joins fail. */
  failing = 0;
  reports = 0;

  constructor(world: ControlWorld) {
    this.#world = world;
    this.signedBy = world.root;
  }

  async join(request: JoinRequest) {
    const { publicJwk } = request;
    const { snapshot, root, issuers } = this.#world;
    this.joins++;
    this.joined.push(request);
    if (this.failing-- > 0) throw new Error("the issuer is down");
    const claims = {
      sub: this.sub ?? snapshot.spiffeId,
      iat: startS,
      exp: startS + 3_600,
      jti: `token-${this.joins}`,
      cnf: { jwk: publicJwk },
    };
    const wit = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "ES256", typ: "wit+jwt", kid: `issuer-${this.turn}` })
      .sign(issuers[this.turn].privateKey);
    const text = canonicalJson(snapshot);
    const head = { workload: "default/web", epoch: 1, digest: await digestOf(text), iat: startS };
    return {
      ok: true as const,
      trustDomain: snapshot.trustDomain,
      wit,
      rootJwk: root.publicJwk,
      bundle: await this.#bundle(),
      head: await signDocument(head, "tulle-head+jwt", "root", root.privateKey),
      snapshot: text,
      circuits: [],
      ...(await this.keys(request, wit)),
    };
  }

  /** Root keys that its bundles name. */
  roots: readonly object[] = [];
  /** The next root key, as the reports told of it. */
  readonly nextRoots: (string | undefined)[] = [];

  async report({ bundleSequence, nextRoot }: ReportRequest) {
    this.reports++;
    this.nextRoots.push(nextRoot);
    const newer = this.sequence > bundleSequence ? { bundle: await this.#bundle() } : {};
    return { ok: true as const, epoch: 1, circuits: [], nextReportMs: 1_000, ...newer };
  }

  /** What became of proofs that were asked about; silent while a test says so. */
  readonly asked: AdmitRequest[] = [];
  silent = false;

  admit = async (request: AdmitRequest): Promise<AdmitAnswer | Declined> => {
    this.asked.push(request);
    if (this.silent) throw new Error("no such method");
    return { ok: true, verdict: "fresh", watch: "w1" };
  };

  #bundle(): Promise<string> {
    const { snapshot, issuers } = this.#world;
    const payload = {
      trustDomain: snapshot.trustDomain,
      sequence: this.sequence,
      iat: startS,
      exp: startS + 86_400,
      keys: [{ ...issuers[this.turn].publicJwk, kid: `issuer-${this.turn}`, use: "wit-svid" }],
      revoked: this.revoked,
      roots: this.roots,
    };
    return signDocument(payload, bundleType, "root", this.signedBy.privateKey);
  }
}

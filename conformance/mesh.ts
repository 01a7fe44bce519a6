import { randomBytes } from "node:crypto";
import type { ChangeAnswer } from "@tulle/control/api/contract.ts";
import { runInWorkerd } from "@tulle/mesh-runtime/testing";
import { ControlClient, Refused } from "./control-client.ts";
import { Failure } from "./failure.ts";
import type { Manifest, Suite } from "./format.ts";
import {
  applied,
  type Deployment,
  isPolicy,
  type KubernetesService,
  keyOf,
  selected,
  type World,
  worldOf,
} from "./manifests.ts";
import { Relay } from "./relay.ts";
import {
  byBinding,
  type Identities,
  identitiesOf,
  meshService,
  openTo,
  workerName,
  workerServices,
} from "./services.ts";
import { Wire } from "./wire.ts";
import { edgeName, podWorker, workersOf } from "./workers.ts";

type Runtime = Awaited<ReturnType<typeof runInWorkerd>>;

/** A change of policy, and the documents that it wrote or deleted. */
export interface Changed {
  readonly revision: number;
  readonly documents: readonly { readonly kind: string; readonly key: string }[];
}

/** How often a worker is asked before it counts as one that does not follow. */
const mostReports = 400;

export interface StartOptions {
  /** Told of each document of the base that control does not take. @default it is thrown */
  readonly onBaseRefused?: (message: string) => void;
  /** Where lines that workers log go. @default nowhere */
  readonly onLog?: (line: string) => void;
}

/** A whole mesh in one workerd with the base of a file of cases applied. */
export class ConformanceMesh implements AsyncDisposable {
  readonly world: World;
  readonly identities: Identities;
  readonly wire: Wire;
  readonly control: ControlClient;
  readonly #runtime: Runtime;
  readonly #relays = new Map<string, Relay>();
  /** The revision that the last change made. */
  #revision = 0;
  /** Texts of the base, by kind and name. */
  readonly #base = new Map<string, string>();
  /** The newest revision that each worker was seen to run. */
  readonly #followed = new Map<string, number>();

  private constructor(world: World, identities: Identities, runtime: Runtime, wire: Wire, token: string) {
    this.world = world;
    this.identities = identities;
    this.wire = wire;
    this.control = new ControlClient(wire, token);
    this.#runtime = runtime;
  }

  /**
   * Starts the workers that a file needs, and applies its base.
   * @throws Refused when control does not take the base and nobody is told
   */
  static async start(
    suite: Suite,
    { onLog = () => undefined, onBaseRefused }: StartOptions,
  ): Promise<ConformanceMesh> {
    const world = worldOf(suite);
    const identities = identitiesOf(world);
    const token = randomBytes(24).toString("base64url");
    const runtime = await runInWorkerd(workersOf(world, identities, token), { onLog });
    const address = await runtime.unsafeGetDirectURL(edgeName);
    const mesh = new ConformanceMesh(world, identities, runtime, new Wire(Number(address.port)), token);
    try {
      await mesh.#applyBase(suite, onBaseRefused);
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #applyBase({ base, cases }: Suite, onRefused: StartOptions["onBaseRefused"]): Promise<void> {
    const { world, identities } = this;
    const namespaces = new Set(
      [...base, ...cases.flatMap(({ manifests }) => manifests)].flatMap(({ kind, metadata }) =>
        kind === "Namespace" ? [metadata.name] : metadata.namespace === undefined ? [] : [metadata.namespace],
      ),
    );
    const workers = [
      ...openTo(namespaces),
      ...workerServices(world, identities),
      ...world.services.map((service) =>
        meshService(service, selected(service, world.deployments), identities, byBinding),
      ),
    ].map((document) => JSON.stringify(document));
    const policy = base.filter(isPolicy).map((manifest) => applied(manifest, world.gateways));
    const inForce = [...(await this.#taken(workers, onRefused)), ...(await this.#taken(policy, onRefused))];
    for (const text of inForce) {
      const manifest = JSON.parse(text) as Manifest;
      this.#base.set(`${manifest.kind} ${keyOf(manifest)}`, text);
    }
  }

  /** Applies the base as a whole, or, where control does not take all of it, what it takes. @returns the texts that are in force */
  async #taken(
    texts: readonly string[],
    onRefused: StartOptions["onBaseRefused"],
  ): Promise<readonly string[]> {
    try {
      await this.apply(texts, "the base of the suite");
      return texts;
    } catch (error) {
      if (!(error instanceof Refused) || onRefused === undefined) throw error;
    }
    const taken: string[] = [];
    // One may refer to another further on: those refused are tried again as long as any is taken.
    let refused = new Map(texts.map((text) => [text, ""]));
    for (let before = refused.size + 1; refused.size < before; ) {
      before = refused.size;
      refused = await this.#takenFrom([...refused.keys()], taken);
    }
    for (const [text, why] of refused) {
      const manifest = JSON.parse(text) as Manifest;
      onRefused(`${manifest.kind} ${keyOf(manifest)} of the base is not taken: ${why}`);
    }
    return taken;
  }

  /** Applies documents one by one. @returns why of each that is refused */
  async #takenFrom(texts: readonly string[], taken: string[]): Promise<Map<string, string>> {
    const refused = new Map<string, string>();
    for (const text of texts) {
      try {
        await this.apply([text], "the base of the suite");
        taken.push(text);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused.set(text, error.message);
      }
    }
    return refused;
  }

  /** Applies documents, all or nothing. */
  async apply(texts: readonly string[], reason: string): Promise<Changed> {
    if (texts.length === 0) return { revision: this.#revision, documents: [] };
    return this.#changed(await this.control.apply(texts, reason));
  }

  /** Deletes a document. */
  async remove(kind: string, key: string): Promise<Changed> {
    return this.#changed(await this.control.remove(kind, key));
  }

  #changed({ revision, changes }: ChangeAnswer): Changed {
    this.#revision = revision;
    const documents = changes.filter(({ action }) => action !== "unchanged");
    return {
      revision,
      documents: documents.map((one) => ({ kind: one.kind, key: `${one.namespace}/${one.name}` })),
    };
  }

  /** Leaves the documents of these changes, oldest first, as they were in the base. */
  async takeBack(changes: readonly Changed[]): Promise<void> {
    const [only, ...more] = changes.filter(({ documents }) => documents.length > 0);
    if (only === undefined) return;
    if (more.length === 0) {
      this.#changed(await this.control.undo(only.revision));
      return;
    }
    const touched = new Map(
      changes.flatMap(({ documents }) => documents.map((one) => [`${one.kind} ${one.key}`, one])),
    );
    const before = [...touched.keys()].flatMap((name) => this.#base.get(name) ?? []);
    await this.apply(before, "the base of the suite");
    for (const [name, { kind, key }] of touched) {
      const isThere = !this.#base.has(name) && (await this.control.document(kind, key)) !== undefined;
      if (isThere) await this.remove(kind, key);
    }
  }

  /** Resolves when these workers run the newest revision. */
  async follow(workers: Iterable<string>): Promise<void> {
    const revision = this.#revision;
    await Promise.all(
      [...workers].map(async (worker) => {
        for (let asked = 0; (this.#followed.get(worker) ?? 0) < revision; asked++) {
          if (asked === mostReports) throw new Error(`${worker} does not follow revision ${revision}`);
          this.#followed.set(worker, Number(await this.wire.call(worker, "report")));
        }
      }),
    );
  }

  /** The worker of a Gateway, `namespace/name`. */
  gatewayWorker(key: string): string {
    const gateway = this.world.gateways.find(({ namespace, name }) => `${namespace}/${name}` === key);
    if (gateway === undefined) throw new Failure(`the file has no Gateway ${key}`);
    return workerName(gateway.namespace, gateway.service);
  }

  /** The Deployment of a name, or the first with the label `app` of it. */
  deployment(namespace: string, app: string): Deployment {
    const own = this.world.deployments.filter((one) => one.namespace === namespace);
    const found = own.find(({ name }) => name === app) ?? own.find(({ labels }) => labels.app === app);
    if (found === undefined) throw new Failure(`the file has no Deployment ${app} in ${namespace}`);
    return found;
  }

  /** How many requests for a path and query the pods behind a Service have echoed since the run began. */
  async seen(deployment: Deployment, target: string): Promise<number> {
    return Number(await this.wire.call(podWorker(deployment), "seen", target));
  }

  /** The document of a Service whose callers reach its Deployment over TCP, so that connections can break. */
  async overTcp(service: KubernetesService, deployment: Deployment): Promise<string> {
    const name = podWorker(deployment);
    const known = this.#relays.get(name);
    const relay = known ?? (await Relay.start(await this.#portOf(name)));
    this.#relays.set(name, relay);
    const { of } = this.identities;
    const alone = { of: (one: Deployment) => (one === deployment ? service.name : of(one)) };
    return JSON.stringify(meshService(service, [deployment], alone, () => ({ url: relay.origin })));
  }

  async #portOf(worker: string): Promise<number> {
    return Number((await this.#runtime.unsafeGetDirectURL(worker)).port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.wire.close();
    await this.#runtime.dispose();
    for (const relay of this.#relays.values()) await relay[Symbol.asyncDispose]();
  }
}

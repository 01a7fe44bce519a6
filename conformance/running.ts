import { gatewayOf, parentRefsOf } from "./attachment.ts";
import { Failure } from "./failure.ts";
import type { Case, Manifest, Step } from "./format.ts";
import { keyOf } from "./manifests.ts";
import type { Changed, ConformanceMesh } from "./mesh.ts";

/** A case under way: what its steps look at, and what earlier ones have said. */
export class Running {
  readonly mesh: ConformanceMesh;
  readonly test: Case;
  /** How long a step waits for what comes about in the end, milliseconds. */
  readonly patienceMs: number;
  /** The documents of the base and of the case, as they are now. */
  readonly #documents: Map<string, Manifest>;
  #accepted: Step | undefined;
  /** Requests sent so far. */
  requests = 0;
  /** What the case has changed, oldest first. */
  readonly changes: Changed[] = [];

  constructor(mesh: ConformanceMesh, test: Case, base: readonly Manifest[], patienceMs: number) {
    this.mesh = mesh;
    this.test = test;
    this.patienceMs = patienceMs;
    this.#documents = new Map([...base, ...test.manifests].map((one) => [documentKey(one), one]));
  }

  put(manifest: Manifest): void {
    this.#documents.set(documentKey(manifest), manifest);
  }

  drop(kind: string, key: string): void {
    this.#documents.delete(`${kind} ${key}`);
  }

  /** All documents of a kind, those of the case last. */
  all(kind: string): readonly Manifest[] {
    return [...this.#documents.values()].filter((one) => one.kind === kind);
  }

  /** Documents of a kind that the case itself brings. */
  own(kind: string): readonly Manifest[] {
    const own = new Set(this.test.manifests.map(documentKey));
    return this.all(kind).filter((one) => own.has(documentKey(one)));
  }

  accepted(step: Step): void {
    this.#accepted = step;
  }

  /** The routes that an assertion speaks of: its own, those accepted before it under the same heading, or all of the case. */
  routesOf(step: Step): readonly Manifest[] {
    const keys = step.routes ?? this.#acceptedFor(step)?.routes;
    const own = this.own("HTTPRoute");
    if (keys === undefined || keys.length === 0) return own;
    return keys.map((key) => this.document("HTTPRoute", key));
  }

  document(kind: string, key: string): Manifest {
    const found = this.#documents.get(`${kind} ${key}`);
    if (found === undefined) throw new Failure(`the case has no ${kind} ${key}`);
    return found;
  }

  /** The Gateways that an assertion speaks of: its own, the one before it, those that the case brings, or the parents of its routes. */
  gatewaysOf(step: Step): readonly Manifest[] {
    const named = step.parent?.gateway ?? (typeof step.gateway === "string" ? step.gateway : undefined);
    const before = named ?? this.#acceptedFor(step)?.parent?.gateway;
    if (before !== undefined) return [this.document("Gateway", before)];
    const own = this.own("Gateway");
    if (own.length > 0) return own;
    const parents = this.own("HTTPRoute").flatMap((route) =>
      parentRefsOf(route).flatMap((ref) => gatewayOf(route, ref) ?? []),
    );
    return [...new Set(parents)].map((key) => this.document("Gateway", key));
  }

  /** The Gateways at which an assertion looks at a route: the one that the step is about, if it is a parent; or all parents. */
  parentsOf(step: Step, route: Manifest): readonly Manifest[] {
    const keys = new Set(parentRefsOf(route).flatMap((ref) => gatewayOf(route, ref) ?? []));
    const about = step.parent?.gateway ?? this.#acceptedFor(step)?.parent?.gateway;
    const looked = about !== undefined && keys.has(about) ? [about] : [...keys];
    return this.all("Gateway").filter((gateway) => looked.includes(keyOf(gateway)));
  }

  /** The step before that accepted routes, if the assertion stands under the same heading. */
  #acceptedFor({ path = [] }: Step): Step | undefined {
    const before = this.#accepted;
    const heading = before?.path?.[0];
    return heading === undefined || heading === path[0] ? before : undefined;
  }
}

const documentKey = (manifest: Manifest): string => `${manifest.kind} ${keyOf(manifest)}`;

import { Refused } from "./control-client.ts";
import { decidingWorkers } from "./exchange.ts";
import { Failure, UnknownStep } from "./failure.ts";
import type { Case, Step, Suite } from "./format.ts";
import {
  applied,
  type Deployment,
  hasSlices,
  isPolicy,
  type KubernetesService,
  keyOf,
  selected,
  servicesIn,
} from "./manifests.ts";
import type { ConformanceMesh } from "./mesh.ts";
import { Running } from "./running.ts";
import { byBinding, meshService, withoutCircuit } from "./services.ts";
import { skipped } from "./skips.ts";
import { step } from "./steps.ts";

/** How a case came out. */
export interface Outcome {
  readonly name: string;
  readonly result: "ok" | "FAILED" | "skipped";
  readonly requests: number;
  readonly ms: number;
  /** Of a skip the feature and why; of a failure the step and what differs. */
  readonly detail?: string;
  readonly features: readonly string[];
  readonly clause?: string;
}

/** Runs one case in a mesh that has its base, and leaves the mesh as it was. */
export async function runCase(
  mesh: ConformanceMesh,
  test: Case,
  { base }: Suite,
  patienceMs: number,
): Promise<Outcome> {
  const { name, features, clause } = test;
  const about = { name, features, ...(clause === undefined ? {} : { clause }) };
  const skip = skipped(test);
  if (skip !== undefined)
    return { ...about, result: "skipped", requests: 0, ms: 0, detail: `${skip.feature}: ${skip.why}` };
  const run = new Running(mesh, test, base, patienceMs);
  const begun = performance.now();
  const failure = await failureOf(run);
  const untidy = await tidied(run);
  const detail = failure ?? untidy;
  const ms = Math.round(performance.now() - begun);
  const { requests } = run;
  return detail === undefined
    ? { ...about, result: "ok", requests, ms }
    : { ...about, result: "FAILED", requests, ms, detail };
}

async function failureOf(run: Running): Promise<string | undefined> {
  const { test, mesh } = run;
  if (test.steps.length === 0) return "the case has no steps, so it shows nothing";
  try {
    run.changes.push(await mesh.apply(await documentsOf(run), test.name));
    await mesh.follow(decidingWorkers(run));
  } catch (error) {
    return `the manifests are not taken: ${messageOf(error)}`;
  }
  for (const [index, one] of test.steps.entries()) {
    try {
      await step(run, one);
    } catch (error) {
      return `${headingOf(one, index)}: ${messageOf(error)}`;
    }
  }
  return undefined;
}

/** What is applied for a case: its policy as it is, and Services of the mesh for what it says of Kubernetes' own. */
async function documentsOf({ mesh, test }: Running): Promise<readonly string[]> {
  const { world, identities } = mesh;
  const policy = test.manifests.filter(isPolicy).map((one) => applied(one, world.gateways));
  const services = servicesIn(test.manifests).map((service) =>
    JSON.stringify(meshService(service, behind(mesh, service, test), identities, byBinding)),
  );
  return [...policy, ...services, ...(await failing(mesh, test))];
}

/** The Deployments behind a Service: those that it selects, or that the case's EndpointSlices lead to. */
function behind(mesh: ConformanceMesh, service: KubernetesService, test: Case): readonly Deployment[] {
  const chosen = selected(service, mesh.world.deployments);
  if (chosen.length > 0 || !hasSlices(service, test.manifests)) return chosen;
  return sliced(mesh, service, test);
}

/**
 * Slices hold addresses of pods, which a file cannot know: upstream's test writes those of one Deployment into them
 * when it runs, and expects its pods to answer. The backend that the case expects is the one.
 */
function sliced(mesh: ConformanceMesh, { namespace }: KubernetesService, test: Case): readonly Deployment[] {
  const names = new Set(test.steps.flatMap(({ expect }) => expect?.backend ?? []));
  return mesh.world.deployments.filter((one) => one.namespace === namespace && names.has(one.name));
}

/**
 * What changes about Services of the base that fail on purpose in this case. Their circuits, of which Gateway API
 * knows nothing, would open; and where connections are to break, callers go over TCP.
 */
async function failing(mesh: ConformanceMesh, test: Case): Promise<readonly string[]> {
  const failures = test.steps.filter(({ request }) => simulatesFailure(request?.path));
  const backends = new Set(failures.flatMap((one) => backendsOf(one, test)));
  const reset = new Set(failures.filter(({ request }) => wantsReset(request?.path)).flatMap(backendOf));
  const texts: string[] = [];
  for (const service of mesh.world.services) {
    const [only, ...more] = selected(service, mesh.world.deployments);
    const key = `${only?.namespace}/${only?.name}`;
    if (only === undefined || more.length > 0 || !backends.has(key)) continue;
    texts.push(JSON.stringify(withoutCircuit(service)));
    if (reset.has(key)) texts.push(await mesh.overTcp(service, only));
  }
  return texts;
}

/** The backend that a step expects; where it names none, all that the case's routes have. */
function backendsOf(step: Step, { manifests }: Case): readonly string[] {
  const expected = backendOf(step);
  if (expected.length > 0) return expected;
  return manifests
    .filter(({ kind }) => kind === "HTTPRoute")
    .flatMap((route) => {
      const rules = (route.spec?.rules ?? []) as { backendRefs?: { name: string; namespace?: string }[] }[];
      return rules
        .flatMap(({ backendRefs = [] }) => backendRefs)
        .map(({ name, namespace }) => `${namespace ?? keyOf(route).split("/")[0]}/${name}`);
    });
}

function backendOf({ expect, via, target }: Step): readonly string[] {
  const namespace = expect?.namespace ?? via?.gateway.split("/")[0] ?? target?.namespace ?? "default";
  return expect?.backend === undefined ? [] : [`${namespace}/${expect.backend}`];
}

/** The echo server fails at such a path until it has been tried often enough. */
const simulatesRetries = (path = ""): boolean => path.startsWith("/retry/") && /[?&]succeedAfter=/.test(path);

/** Or it is slower than a timeout allows, or answers with an error as asked. */
const simulatesFailure = (path = ""): boolean =>
  simulatesRetries(path) || /[?&]delay=/.test(path) || /^\/status\/5/.test(path);

/** A simulated failure that is to have no status is a connection that is reset. */
const wantsReset = (path = ""): boolean => simulatesRetries(path) && !/[?&]responseCode=/.test(path);

/** Leaves the mesh as the case found it. */
async function tidied({ changes, mesh }: Running): Promise<string | undefined> {
  try {
    await mesh.takeBack(changes);
    return undefined;
  } catch (error) {
    return `the manifests cannot be deleted again: ${messageOf(error)}`;
  }
}

function headingOf({ kind, call, path = [], id }: Step, index: number): string {
  const heading = path.join(" / ");
  return [`step ${index + 1}`, call ?? kind, id ?? "", heading].filter((part) => part !== "").join(", ");
}

function messageOf(error: unknown): string {
  const isTold = error instanceof Failure || error instanceof UnknownStep || error instanceof Refused;
  if (isTold) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

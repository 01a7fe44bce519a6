import { assert, routesAccepted } from "./assertions.ts";
import { Refused } from "./control-client.ts";
import { distribution } from "./distribution.ts";
import { decidingWorkers } from "./exchange.ts";
import { eventually, Failure, UnknownStep } from "./failure.ts";
import type { Manifest, Step } from "./format.ts";
import { invariant, session, webSocket } from "./invariants.ts";
import { applied, isPolicy, keyOf } from "./manifests.ts";
import { request } from "./requests.ts";
import type { Running } from "./running.ts";

type Doing = (run: Running, step: Step) => Promise<void>;

const doings: Readonly<Record<string, Doing>> = {
  accepted: (run, step) => inTheEnd(run, () => routesAccepted(run, step)),
  assert: (run, step) => inTheEnd(run, () => assert(run, step)),
  request,
  invariant,
  distribution,
  weights: distribution,
  weight: distribution,
  split: distribution,
  websocket: (run, step) => inTheEnd(run, () => webSocket(run, step)),
  session,
  custom,
  apply: (run, step) => change(run, step.manifests ?? []),
  refused,
  delete: async (run, step) => {
    for (const document of step.documents ?? []) {
      const [kind = "", key = ""] = document.split(" ");
      await forget(run, kind, key);
    }
    await run.mesh.follow(decidingWorkers(run));
  },
};

/** Does what a step says. @throws Failure when it does not come out so, UnknownStep when nobody knows how to do it */
export async function step(run: Running, one: Step): Promise<void> {
  // What a suite wrote by hand says what must be true, whatever it calls its kind.
  const doing = doings[one.kind] ?? (one.hand === true ? invariant : undefined);
  if (doing === undefined) throw new UnknownStep(`the runner does not know steps of the kind ${one.kind}`);
  await revoked(run, one);
  await doing(run, one);
}

/** Control takes none of the manifests, and says what the step says that it must. */
async function refused(run: Running, { manifests = [], expect = {} }: Step): Promise<void> {
  const texts = manifests.map((one) => applied(one, run.mesh.world.gateways));
  try {
    run.changes.push(await run.mesh.apply(texts, run.test.name));
  } catch (error) {
    const { rule = "" } = expect;
    if (!(error instanceof Refused)) throw error;
    if (error.message.includes(rule)) return;
    throw new Failure(`refused: expected a message with "${rule}", found "${error.message}"`);
  }
  throw new Failure("refused: expected control to refuse the manifests, found that it takes them");
}

const inTheEnd = async ({ patienceMs }: Running, attempt: () => Promise<void>): Promise<void> =>
  void (await eventually(patienceMs, attempt));

/** Steps that a suite could not keep as data. What it wrote by hand instead follows under the same case. */
async function custom(run: Running, one: Step): Promise<void> {
  const call = one.call ?? "";
  if (/delete/i.test(call)) return withdraw(run);
  if (/patch|update/i.test(call)) return patch(run);
  const at = run.test.steps.indexOf(one);
  const byHand = run.test.steps.slice(at + 1).some(({ hand }) => hand === true);
  if (!byHand) throw new UnknownStep(`the runner does not know what ${call || "a custom step"} does`);
}

/** Upstream deletes the grants of a case between two requests; a file may keep only the heading that says so. */
async function revoked(run: Running, { path = [] }: Step): Promise<void> {
  if (!/after deleting the relevant reference ?grant/i.test(path.join(" "))) return;
  if (run.own("ReferenceGrant").length > 0) await withdraw(run);
}

async function withdraw(run: Running): Promise<void> {
  for (const grant of run.own("ReferenceGrant")) await forget(run, "ReferenceGrant", keyOf(grant));
  await run.mesh.follow(decidingWorkers(run));
}

async function forget(run: Running, kind: string, key: string): Promise<void> {
  run.changes.push(await run.mesh.remove(kind, key));
  run.drop(kind, key);
}

async function change(run: Running, manifests: readonly Manifest[]): Promise<void> {
  const texts = manifests.filter(isPolicy).map((one) => applied(one, run.mesh.world.gateways));
  run.changes.push(await run.mesh.apply(texts, run.test.name));
  for (const manifest of manifests) run.put(manifest);
  await run.mesh.follow(decidingWorkers(run));
}

/** Upstream changes the spec of what a case is about and looks whether the status follows: a further hostname does. */
async function patch(run: Running): Promise<void> {
  const [route] = run.own("HTTPRoute");
  const [gateway] = run.own("Gateway");
  if (route !== undefined) await change(run, [withOtherBackend(run, route)]);
  else if (gateway !== undefined) await change(run, [withFurtherListener(gateway)]);
  else throw new Failure("the case has nothing that could be changed");
}

function withOtherBackend(run: Running, route: Manifest): Manifest {
  const rules = (route.spec?.rules ?? []) as { backendRefs?: { name: string }[] }[];
  const [first] = rules;
  const [ref] = first?.backendRefs ?? [];
  const other = run
    .all("Service")
    .find(({ metadata }) => metadata.namespace === route.metadata.namespace && metadata.name !== ref?.name);
  if (ref === undefined || other === undefined) throw new Failure("the route has no backend to change");
  const backendRefs = [{ ...ref, name: other.metadata.name }];
  return { ...route, spec: { ...route.spec, rules: [{ ...first, backendRefs }, ...rules.slice(1)] } };
}

function withFurtherListener(gateway: Manifest): Manifest {
  const listeners = (gateway.spec?.listeners ?? []) as object[];
  const further = { name: "alternate", hostname: "foo.com", port: 80, protocol: "HTTP" };
  return { ...gateway, spec: { ...gateway.spec, listeners: [...listeners, further] } };
}

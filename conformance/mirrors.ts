import { randomUUID } from "node:crypto";
import { once } from "./exchange.ts";
import { eventually, Failure, repeatedly } from "./failure.ts";
import type { ExpectedMirror, Step } from "./format.ts";
import { selected, servicesIn } from "./manifests.ts";
import type { Running } from "./running.ts";

/** As many requests show a share upstream, so many at once, in so many tries. */
const requests = 500;
const atOnce = 10;
const mostTries = 5;
/** Half-width of the band that a count must lie in, in standard deviations of its binomial distribution. */
const deviations = 3;
const requestId = "gateway-api-conformance-request-id";

/** Passes if the backends that must get copies got them: of each request, or of the share that is written. */
export async function mirrored(run: Running, step: Step): Promise<void> {
  const mirrors = step.expect?.mirroredTo ?? [];
  const shares = mirrors.filter(({ percent }) => percent !== undefined);
  if (shares.length < mirrors.length) await eachMirrored(run, step, mirrors);
  if (shares.length === 0) return;
  for (let tries = 1; ; tries++) {
    const wrong = await sharesMirrored(run, step, shares);
    if (wrong === undefined) return;
    if (tries === mostTries) throw new Failure(wrong);
  }
}

async function eachMirrored(run: Running, step: Step, mirrors: readonly ExpectedMirror[]): Promise<void> {
  const identified = withId(step);
  const target = identified.request?.path ?? "/";
  await once(run, identified);
  await eventually(run.patienceMs, async () => {
    for (const mirror of mirrors) {
      const found = await seen(run, mirror, target);
      // More would be copies of copies, or one for each retry.
      if (found !== 1) throw new Failure(`mirroredTo ${mirror.name}: expected 1 copy, found ${found}`);
    }
  });
}

async function sharesMirrored(
  run: Running,
  step: Step,
  mirrors: readonly ExpectedMirror[],
): Promise<string | undefined> {
  const identified = withId(step);
  await repeatedly(requests, atOnce, () => once(run, identified));
  const wrong: string[] = [];
  for (const mirror of mirrors) {
    const share = (mirror.percent ?? 100) / 100;
    const expected = requests * share;
    const margin = deviations * Math.sqrt(requests * share * (1 - share));
    const found = await settled(() => seen(run, mirror, identified.request?.path ?? "/"));
    if (Math.abs(found - expected) > margin)
      wrong.push(
        `mirroredTo ${mirror.name}: expected ${expected} ± ${margin.toFixed(1)} of ${requests}, found ${found}`,
      );
  }
  return wrong.length === 0 ? undefined : wrong.join("; ");
}

/** A count that has stopped growing: copies are sent after the answer. */
async function settled(count: () => Promise<number>): Promise<number> {
  for (let last = await count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = await count();
    if (now === last) return now;
    last = now;
  }
}

/** How many requests for a path the pods behind a Service have got. */
async function seen(run: Running, { name, namespace }: ExpectedMirror, target: string): Promise<number> {
  const [first] = run.all("HTTPRoute");
  const where = namespace ?? first?.metadata.namespace ?? "default";
  const service = servicesIn(run.all("Service")).find((one) => one.name === name && one.namespace === where);
  const behind = service === undefined ? [] : selected(service, run.mesh.world.deployments);
  const pods = behind.length > 0 ? behind : [run.mesh.deployment(where, name)];
  const counts = await Promise.all(pods.map((pod) => run.mesh.seen(pod, target)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The same step with a query that no other request has, on the way out and where it arrives. */
function withId(step: Step): Step {
  const id = randomUUID();
  const { request = {}, expect = {} } = step;
  const { backendRequest } = expect;
  const identified = (path = "/"): string => `${path}${path.includes("?") ? "&" : "?"}${requestId}=${id}`;
  return {
    ...step,
    request: { ...request, path: identified(request.path) },
    expect: {
      ...expect,
      ...(backendRequest?.path === undefined
        ? {}
        : { backendRequest: { ...backendRequest, path: identified(backendRequest.path) } }),
    },
  };
}

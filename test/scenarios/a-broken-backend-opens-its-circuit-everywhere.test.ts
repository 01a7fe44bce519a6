import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tulle } from "../cli/tulle.ts";
import { until, word } from "../support/answers.ts";
import { Backend } from "../support/backend.ts";
import { type CircuitSeen, circuitOf } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const relay = { entry: fileURLToPath(new URL("workers/relay.ts", import.meta.url)) };
/** These have traffic while the backend fails. */
const busy = ["web", "app", "jobs"] as const;

const payments = new Backend();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      payments,
      web: relay,
      app: relay,
      jobs: relay,
      quiet: relay,
      newcomer: relay,
    },
    policies: [open("payments", "web")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

/** A charge is a POST without a key: the mesh never repeats it, so that each is one attempt. */
const charge = (from: string): Promise<string> =>
  word(mesh.from(from).fetch("http://payments/charge", { method: "POST" }));
const everybody = (callers: readonly string[]): Promise<string[]> => Promise.all(callers.map(charge));

test("a backend that fails is left alone by every caller, and comes back by probes and a ramp", async () => {
  const course: CircuitSeen[] = [];
  const look = async (): Promise<CircuitSeen | undefined> => {
    const seen = await circuitOf(mesh, "payments");
    if (seen !== undefined && seen.state !== course.at(-1)?.state) course.push(seen);
    return seen;
  };

  // All is well; everybody but the newcomer is known to the circuit's authority.
  expect(await everybody([...busy, "quiet"])).toEqual(["200", "200", "200", "200"]);
  expect((await look())?.state).toBe("closed");

  // The backend fails, and `quiet` has a charge under way there that will not.
  const release = payments.hold();
  const late = charge("quiet");
  await payments.reached(1);
  await mesh.break("payments", { status: 503 });
  for (let round = 0; round < 8; round++) await everybody(busy);
  expect((await until(look, (seen) => seen?.state === "open"))?.state).toBe("open");

  // Each learns it from the answer to its own report: at most one more request of each gets through.
  const before = await mesh.hits("payments");
  await until(
    async () => {
      const said = await everybody(busy);
      await mesh.settle();
      return said;
    },
    (said) => said.every((each) => each === "circuit-open"),
  );
  const reached = await mesh.hits("payments");
  expect(reached - before).toBeLessThanOrEqual(busy.length);

  // What `quiet` has to report came about when the circuit was open.
  release();
  expect(await late).toBe("200");
  await mesh.settle();

  // `quiet` never saw a failure and knows from its report; the newcomer knows from a header of `web`.
  expect(await word(mesh.from("newcomer").fetch("http://web/payments"))).toBe("circuit-open");
  for (let round = 0; round < 3; round++) {
    const said = await everybody([...busy, "quiet", "newcomer"]);
    expect(said).toEqual(said.map(() => "circuit-open"));
  }
  expect(await mesh.hits("payments")).toBe(reached);
  expect(await failuresOf("quiet")).toBe(0);
  expect(await failuresOf("newcomer")).toBe(0);

  // An operator sees it.
  const env = { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token };
  const circuits = await tulle(["circuits"], { env });
  expect(circuits).toMatchObject({ code: 0, stdout: expect.stringMatching(/^default\/payments +open /m) });

  // Still broken when a probe is due: of all callers at once, one request is let through, and none after it.
  const probed = await until(
    async () => {
      await mesh.advance("2s");
      return everybody([...busy, "quiet", "newcomer"]);
    },
    (said) => said.includes("503"),
    3,
  );
  expect(await mesh.hits("payments")).toBe(reached + 1);
  expect(probed.filter((each) => each === "503")).toHaveLength(1);
  await look();
  expect(await everybody([...busy, "quiet", "newcomer"])).not.toContain("503");

  // Mended: it closes by itself.
  await mesh.mend("payments");
  payments.script([]);
  await mesh.advance("3s");
  const said: string[] = [];
  const closed = await until(
    async () => {
      said.push(...(await everybody([...busy, "quiet", "newcomer"])));
      const seen = await look();
      await mesh.advance("250ms");
      return seen;
    },
    (seen) => seen?.state === "closed",
  );
  expect(closed?.state).toBe("closed");
  // Nothing else than refusals and successes, and each success was one request at the backend.
  expect(new Set(said)).toEqual(new Set(["circuit-open", "200"]));
  expect(payments.received).toHaveLength(said.filter((each) => each === "200").length);
  // Everybody is back.
  await everybody([...busy, "quiet", "newcomer"]);
  await mesh.settle();
  expect(await everybody([...busy, "quiet", "newcomer"])).toEqual(["200", "200", "200", "200", "200"]);

  const states = course.map(({ state }) => state);
  expect(states.slice(0, 2)).toEqual(["closed", "open"]);
  expect(states.slice(-2)).toEqual(["ramp", "closed"]);
  const epochs = course.map(({ epoch }) => epoch);
  expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
});

/** How many answers of the backend a caller has seen that were failures. */
async function failuresOf(caller: string): Promise<number> {
  const { edges } = await mesh.signals();
  return edges
    .filter(
      ({ perspective, source, destination }) =>
        perspective === "attempt" && source === `default/${caller}` && destination === "default/payments",
    )
    .filter((edge) => edge.class === "5xx")
    .reduce((sum, { count }) => sum + count, 0);
}

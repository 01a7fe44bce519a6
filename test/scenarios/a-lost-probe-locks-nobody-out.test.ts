import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until, word } from "../support/answers.ts";
import { Backend } from "../support/backend.ts";
import { circuitOf } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const passAlong = { entry: fileURLToPath(new URL("workers/pass-along.ts", import.meta.url)) };

const backends = { payments: new Backend(), stock: new Backend(), mail: new Backend() };
type Name = keyof typeof backends;
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { ...backends, web: passAlong, app: passAlong, outer: passAlong },
    policies: [open(...Object.keys(backends), "web", "outer")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

const ask = (from: string, backend: Name): Promise<string> =>
  word(mesh.from(from).fetch(`http://${backend}/`, { method: "POST" }));

/** Breaks a backend until its circuit is open for `web` and `app`, and mends it; its application answers nothing before it is let. */
async function opened(name: Name): Promise<() => void> {
  await Promise.all([ask("web", name), ask("app", name)]);
  await mesh.settle();
  await mesh.break(name, { status: 503 });
  const said = await until(
    async () => {
      const both = await Promise.all([ask("web", name), ask("app", name)]);
      await mesh.settle();
      return both;
    },
    (both) => both.every((each) => each === "circuit-open"),
  );
  expect(said).toEqual(["circuit-open", "circuit-open"]);
  await mesh.mend(name);
  await mesh.advance("2s");
  return backends[name].hold();
}

/** Sees the circuit of a backend that is well close. */
async function closes(name: Name): Promise<void> {
  const seen = await until(
    async () => {
      await Promise.all([ask("web", name), ask("app", name)]);
      const seen = await circuitOf(mesh, name);
      await mesh.advance("500ms");
      return seen;
    },
    (circuit) => circuit?.state === "closed",
  );
  expect(seen?.state).toBe("closed");
  expect(
    await until(
      () => ask("web", name),
      (said) => said === "200",
    ),
  ).toBe("200");
}

test("whoever gives up its probe gives the permit back, and another may probe at once", async () => {
  const release = await opened("payments");
  const gaveUp = await word(mesh.from("app").fetch("http://web/payments?patience=50"));
  expect(gaveUp).toBe("499");
  expect(backends.payments.received).toHaveLength(1);
  await mesh.settle();
  // Its lease would last for 3 s: the next one is let through because the permit is back.
  release();
  await mesh.advance("400ms");
  expect(await ask("app", "payments")).toBe("200");
  await closes("payments");
});

test("a probe that is torn down with its request blocks the others no longer than its lease", async () => {
  const release = await opened("stock");
  const gaveUp = await word(mesh.from("app").fetch("http://outer/web/stock?patience=50"));
  expect(gaveUp).toBe("499");
  expect(backends.stock.received).toHaveLength(1);
  release();
  await mesh.advance("3s");
  expect(await ask("app", "stock")).toBe("200");
  await closes("stock");
});

test("a probe that never ends keeps its permit for its lease, and then the next one goes", async () => {
  const release = await opened("mail");
  const endless = ask("web", "mail");
  await backends.mail.reached(1);
  // Who is refused reports that it wants word of the circuit, and is told to come again a little later.
  for (const wait of ["2900ms", "400ms"]) {
    expect(await ask("app", "mail")).toBe("circuit-open");
    expect(backends.mail.received).toHaveLength(1);
    await mesh.settle();
    await mesh.advance(wait);
  }
  const second = ask("app", "mail");
  await backends.mail.reached(2);
  release();
  expect(await second).toBe("200");
  // What the first one comes to is known too late to count; it changes nothing.
  expect(await endless).toBe("200");
  await closes("mail");
});

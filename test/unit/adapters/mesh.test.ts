import { expect, test } from "vitest";
import { isMeshed, mesh } from "../../../mesh-runtime/adapters/cloudflare/index.ts";

const handlers = (): ExportedHandler<object> => ({
  fetch: () => new Response("handled"),
  scheduled: () => undefined,
});

test("mesh() puts nothing into the mesh twice: the second proof would find none", () => {
  const once = mesh(handlers());
  expect(isMeshed(once)).toBe(true);
  expect(mesh(once)).toBe(once);
});

test("mesh() leaves the application's own object as it is, frozen ones too", () => {
  const app = Object.freeze({ ...handlers(), version: 7 });
  const meshed = mesh(app) as typeof app;
  expect(meshed.fetch).not.toBe(app.fetch);
  expect(meshed.scheduled).not.toBe(app.scheduled);
  expect(meshed.version).toBe(7);
  expect(isMeshed(app)).toBe(false);
});

test("mesh() adds no handler that the application has not: the runtime would believe that it has", () => {
  const meshed = mesh({ fetch: () => new Response("handled") });
  expect(
    ["connect", "email", "queue", "scheduled", "tail", "trace"].filter((name) => name in meshed),
  ).toEqual([]);
});

test("mesh() finds handlers that an instance inherits", () => {
  class App {
    fetch(): Response {
      return new Response("handled");
    }
    queue(): void {}
  }
  const app = new App();
  const meshed = mesh(app);
  expect(meshed.fetch).not.toBe(app.fetch);
  expect(meshed.queue).not.toBe(app.queue);
});

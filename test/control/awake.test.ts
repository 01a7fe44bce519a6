import { evictAllDurableObjects, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { allAwake } from "./awake.ts";
import { apply, issuing, joined, joinRequest, service, store, workload } from "./support.ts";

test("what a file of tests leaves behind is gone for the next one, though it has fallen asleep", async () => {
  const left = async () => {
    const [{ revision }, issued] = await Promise.all([store().state(), issuing().issued()]);
    return { revision, issued: issued.length, published: (await env.POLICIES.list()).keys.length > 0 };
  };
  await apply(service("web"));
  joined(await workload({ service: "web" }).join(await joinRequest()));
  expect(await left()).toEqual({ revision: 1, issued: 1, published: true });
  await evictAllDurableObjects();
  await allAwake();
  await reset();
  expect(await left()).toEqual({ revision: 0, issued: 0, published: false });
});

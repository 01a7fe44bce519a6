import { reset } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { apply, joinRequest, service } from "../support.ts";

beforeEach(async () => {
  await reset();
  await apply(service("web"));
});

/** What an attacker hopes is taken for the props of a binding. */
const claimed = {
  "content-type": "application/json",
  "cf-worker": "web",
  props: '{"service":"web","namespace":"default"}',
  "x-props": '{"service":"web","namespace":"default"}',
  "cf-ew-via": "15",
};

describe("71: over HTTP an attacker", () => {
  test.each([
    "/join",
    "/report",
    "/Workload/join",
    "/workload",
    "/workload/",
    "/workload//join",
    "/workload/join/",
    "/workload/issue",
    "/issuer",
    "/issuer/admit",
    "/issuer/bundle",
    "/rpc/Workload/join",
    "/cdn-cgi/join",
  ])("finds no door to the issuer at %s", async (path) => {
    const body = JSON.stringify(await joinRequest({ workload: "default/web" }));
    for (const method of ["POST", "PUT", "GET"]) {
      const init = method === "GET" ? { headers: claimed } : { method, headers: claimed, body };
      const response = await exports.default.fetch(`https://control.test${path}`, init);
      expect([method, response.status]).toEqual([method, 404]);
      expect(await response.text()).not.toMatch(/"wit"|eyJ/);
    }
  });

  test("is not believed to be what headers and query call the props of a binding", async () => {
    const body = JSON.stringify(await joinRequest({ workload: "default/web" }));
    const url = "https://control.test/workload/join?service=web&namespace=default&props=web";
    const response = await exports.default.fetch(url, { method: "POST", headers: claimed, body });
    expect(response.ok).toBe(false);
    expect(await response.text()).not.toMatch(/"wit"|eyJ/);
  });
});

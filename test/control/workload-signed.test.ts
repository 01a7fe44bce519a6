import type { Declined, JoinAnswer, ReportAnswer } from "@tulle/mesh-runtime/workload-contract.ts";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { api, joinRequest, reportRequest } from "./support.ts";
import { credential, held, openDoor, post, signed, token } from "./workload-door.ts";

beforeEach(openDoor);

describe("a renewal that is held back until its identity was revoked and lifted", () => {
  const spiffeId = "spiffe://mesh.local/ns/default/sa/web";

  test("goes through where nothing was revoked", async () => {
    const rest = await held(await credential());
    expect((await rest()).status).toBe(200);
  });

  test("comes to nothing: what its former holder kept is worthless", async () => {
    const rest = await held(await credential());
    expect((await api("POST", "/api/identity/revocations", { spiffeId })).status).toBe(200);
    expect((await api("POST", "/api/identity/revocations/lift", { spiffeId })).status).toBe(200);
    expect(await rest()).toMatchObject({ status: 400, body: { ok: false, reason: "not-attested" } });
  });

  test("and one that comes while control's isolate has not heard of it comes to nothing either", async () => {
    const by = await credential();
    const renewal = async () => {
      const request = await joinRequest({ workload: "default/web", trustDomain: "mesh.local" });
      return signed<Declined>("/workload/join", request, by);
    };
    expect((await renewal()).status).toBe(200);
    await api("POST", "/api/identity/revocations", { spiffeId });
    await api("POST", "/api/identity/revocations/lift", { spiffeId });
    expect(await renewal()).toMatchObject({ status: 400, body: { reason: "not-attested" } });
  });

  test("is too late when its proof has run out", async () => {
    const rest = await held(await credential());
    vi.setSystemTime(Date.now() + 31_000);
    try {
      expect(await rest()).toMatchObject({ status: 400, body: { reason: "not-attested" } });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("signed requests", () => {
  test("who has a credential renews it without a token", async () => {
    const by = await credential();
    const request = await joinRequest({ workload: "default/web", trustDomain: "mesh.local" });
    const { status, body } = await signed<JoinAnswer>("/workload/join", request, by);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.wit).not.toBe(by.wit);
  });

  test("a report that is signed is taken", async () => {
    const by = await credential();
    const { status, body } = await signed<ReportAnswer>("/workload/report", reportRequest("default/web"), by);
    expect([status, body.epoch]).toEqual([200, 1]);
  });

  test("nobody reports, or renews, as somebody else", async () => {
    const by = await credential();
    const report = await signed<Declined>("/workload/report", reportRequest("default/payments"), by);
    expect(report.body).toMatchObject({ ok: false, reason: "not-attested" });
    const request = await joinRequest({ workload: "default/payments" });
    expect((await signed<Declined>("/workload/join", request, by)).body.reason).toBe("not-attested");
  });

  test("a report without a signature is refused", async () => {
    const { status, body } = await post<Declined>(
      "/workload/report",
      JSON.stringify(reportRequest("default/web")),
    );
    expect([status, body.reason]).toEqual([400, "not-attested"]);
  });

  test.each<[string, Parameters<typeof signed>[3]]>([
    ["made for another audience", { audience: "spiffe://mesh.local/ns/default/sa/payments" }],
    ["that demands a signed answer", { signResponse: true }],
    ["that leaves its body open", { undigested: true }],
    ["whose body was changed", { body: JSON.stringify(reportRequest("default/web", { epoch: 7 })) }],
  ])("one %s is refused, all in one face", async (_, change) => {
    const { status, body } = await signed<Declined>(
      "/workload/report",
      reportRequest("default/web"),
      await credential(),
      change,
    );
    expect([status, body.reason]).toEqual([400, "not-attested"]);
    expect(body.detail).toBe("The signature of this request could not be verified.");
  });

  test("one that is sent twice is taken once", async () => {
    const by = await credential();
    const nonce = crypto.randomUUID();
    const once = () => signed<Declined>("/workload/report", reportRequest("default/web"), by, { nonce });
    expect((await once()).status).toBe(200);
    expect((await once()).status).toBe(400);
  });

  test("a join token beside a signature that fails changes nothing", async () => {
    const joinToken = await token();
    const request = await joinRequest({ workload: "default/web", joinToken });
    const { body } = await signed<Declined>("/workload/join", request, await credential(), {
      audience: "spiffe://x/y",
    });
    expect(body.reason).toBe("not-attested");
  });
});

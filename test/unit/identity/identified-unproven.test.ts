import { describe, expect, onTestFinished, test, vi } from "vitest";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { arrive, proven, sent, url } from "./arriving.ts";
import { caller, value } from "./fixture.ts";

describe("a request without a proof", () => {
  const props = { service: "web", namespace: "default" };

  test("is refused in STRICT mode", async () => {
    expect((await arrive(new Request(url))).outcome).toBe("unidentified missing");
    expect((await arrive(new Request(url), { evidence: "binding" })).outcome).toBe("unidentified missing");
  });

  test("is let in as nobody in PERMISSIVE mode, and counted", async () => {
    const { outcome, principal, counted, notes } = await arrive(new Request(url), { mode: "PERMISSIVE" });
    expect([outcome, principal, notes.peer, notes.evidence]).toEqual(["accepted", undefined, "", ""]);
    expect(counted).toEqual(["permissive_admitted"]);
  });

  test("keeps none of the mesh's headers when nobody vouches for them", async () => {
    const headers = {
      "tulle-deadline-ms": "9",
      "tulle-epoch": "99",
      "tulle-hops": "0",
      "x-client-cert": "c",
      "x-app": "1",
    };
    const { request, said } = await arrive(new Request(url, { headers }), { mode: "PERMISSIVE" });
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({ "x-app": "1" });
    expect(said).toEqual({ deadline: null, credits: null, hops: null, epoch: null });
  });

  test("may carry a stranger's signature for a stranger's reasons", async () => {
    const headers = { signature: "sig=:AAAA:", "signature-input": 'sig=("@authority");tag="web-bot-auth"' };
    expect((await arrive(new Request(url, { headers }), { mode: "PERMISSIVE" })).outcome).toBe("accepted");
    expect((await arrive(new Request(url, { headers }))).outcome).toBe("unidentified missing");
  });

  test.each(["wimse-workload-to-workload", "tulle-session-v1"])(
    "and without a token that tries to prove a workload by the tag %s is refused in PERMISSIVE too",
    async (tag) => {
      const headers = {
        signature: "sig=:AAAA:",
        "signature-input": `sig=("@method");created=1;tag="${tag}"`,
      };
      const { outcome } = await arrive(new Request(url, { headers }), { mode: "PERMISSIVE" });
      expect(outcome).toBe("unidentified missing");
    },
  );

  test("is from who the binding says, where the policy takes that", async () => {
    const { outcome, principal, notes } = await arrive(
      new Request(url),
      { evidence: "binding" },
      { bindingProps: props },
    );
    expect(outcome).toBe("accepted");
    expect(principal).toEqual({ id: value(parseSpiffeId(caller)), ...props, evidence: "binding" });
    expect(notes).toMatchObject({ peer: caller, source: "default/web", evidence: "binding" });
  });

  test("is known by a binding without any cryptography, and by a signature with it", async () => {
    const signed = await proven("hello");
    const [verify, digest] = [vi.spyOn(crypto.subtle, "verify"), vi.spyOn(crypto.subtle, "digest")];
    onTestFinished(() => void vi.restoreAllMocks());
    const bound = sent(new Headers(), "hello");
    expect((await arrive(bound, { evidence: "binding" }, { bindingProps: props })).outcome).toBe("accepted");
    expect([verify.mock.calls.length, digest.mock.calls.length]).toEqual([0, 0]);
    expect((await arrive(signed)).outcome).toBe("accepted");
    expect(verify.mock.calls.length).toBeGreaterThan(0);
    expect(digest.mock.calls.length).toBeGreaterThan(0);
  });

  test("is refused where the policy demands more than the binding's word", async () => {
    expect((await arrive(new Request(url), {}, { bindingProps: props })).outcome).toBe(
      "unidentified evidence",
    );
    const permissive = await arrive(new Request(url), { mode: "PERMISSIVE" }, { bindingProps: props });
    expect([permissive.principal, permissive.counted]).toEqual([undefined, ["permissive_admitted"]]);
  });

  test.each([
    ["no service", { namespace: "default" }, "malformed"],
    ["no namespace", { service: "web" }, "malformed"],
    ["a list", { service: ["web"], namespace: "default" }, "malformed"],
    ["a path", { service: "../admin", namespace: "default" }, "malformed"],
    ["an upper-case name", { service: "Web", namespace: "default" }, "malformed"],
    ["an empty name", { service: "", namespace: "" }, "malformed"],
    ["nothing", {}, "missing"],
    ["names on its prototype only", Object.create({ unrelated: true }), "missing"],
  ])("is refused when the binding's props hold %s", async (_, bindingProps, step) => {
    expect((await arrive(new Request(url), { evidence: "binding" }, { bindingProps })).outcome).toBe(
      `unidentified ${step}`,
    );
  });

  test("goes on untouched when there is nothing to take away", async () => {
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.close() });
    const request = new Request(url, { method: "POST", body, headers: { "x-app": "1" } });
    const arrived = await arrive(request, { evidence: "binding" }, { bindingProps: props });
    expect(arrived.request).toBe(request);
    expect(request.bodyUsed).toBe(false);
  });

  test("keeps signal, upgrade, platform properties and its streaming body when headers are taken away", async () => {
    const ending = new AbortController();
    const streaming = new Request(url, {
      method: "POST",
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode("streamed"));
          controller.close();
        },
      }),
      headers: { "x-spiffe-id": "x" },
      signal: ending.signal,
      cf: { colo: "XYZ" } as never,
    });
    const { request } = await arrive(streaming, { evidence: "binding" }, { bindingProps: props });
    expect(request?.headers.has("x-spiffe-id")).toBe(false);
    expect(request?.cf).toEqual({ colo: "XYZ" });
    expect(await request?.text()).toBe("streamed");
    ending.abort();
    expect(request?.signal.aborted).toBe(true);

    const socket = new Request(url, { headers: { upgrade: "websocket", "x-spiffe-id": "x" } });
    const upgraded = await arrive(socket, { evidence: "binding" }, { bindingProps: props });
    expect(upgraded.request?.headers.get("upgrade")).toBe("websocket");
  });
});

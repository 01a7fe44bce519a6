import { describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { explainCall } from "../../../mesh-runtime/policy/explain.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { allowAll, documents, inShort, read, service, together } from "./writing.ts";

const annotated = (value: string, kind = "HTTPRoute"): string =>
  kind === "HTTPRoute"
    ? `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: pay, annotations: {mesh.tulle.dev/replay: ${value}}}, spec: {parentRefs: [{kind: Service, group: "", name: bank}], rules: [{backendRefs: [{name: bank, port: 80}]}]}}`
    : `{apiVersion: mesh.tulle.dev/v1, kind: ${kind}, metadata: {name: ledger, annotations: {mesh.tulle.dev/replay: ${value}}}, spec: {}}`;
const bank = (spec = "{}"): string => service("bank", spec);
const snapshotOf = (...texts: readonly string[]) => {
  const snapshot = compile(documents(...texts)).get("default/bank");
  if (snapshot === undefined) throw new Error("nothing was compiled");
  return snapshot;
};

describe("responses: signed", () => {
  const fleet = service(
    "fleet",
    "{endpoints: [{service: bank}, {service: web, weight: 1}, {url: https://fleet.example}]}",
  );
  const destinationOf = async (key: string, ...texts: readonly string[]) => {
    const snapshot = compile(documents(...texts)).get("default/web");
    const text = canonicalJson(snapshot);
    const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    if (!loaded.ok) throw new Error(loaded.reason);
    return loaded.value.destination(key);
  };

  test("of a Service is what its callers demand, and nobody else's", async () => {
    const mesh = [service("web"), bank("{responses: signed}")];
    expect((await destinationOf("default/bank", ...mesh))?.settings.responses).toBe("signed");
    expect((await destinationOf("default/web", ...mesh))?.settings).not.toHaveProperty("responses");
    const plain = compile(documents(service("web"), bank("{responses: unsigned}"))).get("default/web");
    const silent = compile(documents(service("web"), bank())).get("default/web");
    expect(canonicalJson(plain)).toBe(canonicalJson(silent));
  });

  test("is a matter of who answers, where a Service has several endpoints", async () => {
    const answering = async (own: string, other: string) => {
      const text = fleet.replace("{endpoints", `{${own}endpoints`);
      const found = await destinationOf("default/fleet", service("web"), bank(other), text);
      return found?.choice.map(({ settings }) => settings.responses);
    };
    expect(await answering("", "{responses: signed}")).toEqual(["signed", undefined, undefined]);
    expect(await answering("responses: signed, ", "{}")).toEqual([undefined, undefined, "signed"]);
  });
});

describe("sessionProofs: refused", () => {
  const mesh = (defaults: string) =>
    `{apiVersion: mesh.tulle.dev/v1, kind: MeshConfig, metadata: {name: mesh}, spec: {defaults: {${defaults}}}}`;
  const said = (...texts: readonly string[]) => {
    const all = compile(documents(service("web"), ...texts));
    return [
      all.get("default/bank")?.inbound.sessionProofs,
      all.get("default/web")?.destinations["default/bank"]?.sessionProofs,
    ];
  };

  test("of a Service, or of the mesh where it says nothing, holds for it and for its callers", () => {
    const [refused, allowed] = [
      ["refused", "refused"],
      [undefined, undefined],
    ];
    expect(said(bank("{sessionProofs: refused}"))).toEqual(refused);
    expect(said(bank())).toEqual(allowed);
    expect(said(bank(), mesh("sessionProofs: refused"))).toEqual(refused);
    expect(said(bank("{sessionProofs: allowed}"), mesh("sessionProofs: refused"))).toEqual(allowed);
    // What is sent again because a session was not believed has another nonce.
    expect(said(bank("{replay: strict}"))).toEqual(refused);
    expect(said(bank("{replay: strict, sessionProofs: allowed}"))).toEqual(refused);
    expect(read(bank("{sessionProofs: never}")).issues.map(inShort).join()).toContain("spec.sessionProofs");
  });

  test("is a matter of who answers, where a Service has several endpoints", async () => {
    const fleet = (own: string) =>
      service("fleet", `{${own}endpoints: [{service: bank}, {url: https://fleet.example}]}`);
    const answering = async (...texts: readonly string[]) => {
      const text = canonicalJson(compile(documents(service("web"), ...texts)).get("default/web"));
      const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
      if (!loaded.ok) throw new Error(loaded.reason);
      return loaded.value.destination("default/fleet")?.choice.map(({ settings }) => settings.sessionProofs);
    };
    expect(await answering(bank("{sessionProofs: refused}"), fleet(""))).toEqual(["refused", undefined]);
    expect(await answering(bank(), fleet("sessionProofs: refused, "))).toEqual([undefined, "refused"]);
  });
});

describe("replay: strict", () => {
  test("of a Service is in the snapshot of its workload, which nothing else changes", async () => {
    expect(snapshotOf(bank("{replay: strict}")).inbound.replay).toBe("strict");
    expect(canonicalJson(snapshotOf(bank("{replay: window}")))).toBe(canonicalJson(snapshotOf(bank())));
    const text = canonicalJson(snapshotOf(bank("{replay: strict}")));
    const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/bank");
    expect(loaded.ok && loaded.value.inbound.replay).toBe("strict");
  });

  test("of a route is in its rules, for whoever calls by it", () => {
    const rules = (value: string) =>
      snapshotOf(bank(), annotated(value)).destinations["default/bank"]?.rules?.map(({ replay }) => replay);
    expect(rules("strict")).toEqual(["strict"]);
    expect(rules("window")).toEqual([undefined]);
  });

  test.each<[what: string, change: (snapshot: Record<string, object>) => void]>([
    ["of a workload", ({ inbound }) => Object.assign(inbound ?? {}, { replay: "loose" })],
    [
      "of a rule",
      ({ destinations }) => {
        const { "default/bank": own } = destinations as Record<string, { rules: object[] }>;
        Object.assign(own?.rules[0] ?? {}, { replay: "loose" });
      },
    ],
  ])("%s that this runtime does not know is not loaded", async (_, change) => {
    const snapshot = JSON.parse(canonicalJson(snapshotOf(bank(), annotated("strict"))));
    change(snapshot);
    const text = canonicalJson(snapshot);
    const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/bank");
    expect(loaded).toMatchObject({
      ok: false,
      reason: expect.stringContaining(".replay must be one of strict"),
    });
  });

  test.each<[string, string, string]>([
    ["another word on a route", annotated("Strict"), 'must be "strict" or "window", found "Strict"'],
    ["the annotation on a Service", annotated("strict", "Service"), "write spec.replay"],
    ["the annotation elsewhere", annotated("strict", "AuthorizationPolicy"), "remove the annotation"],
  ])("%s is refused, with its place", (_, text, message) => {
    const issues = together(allowAll(), service("bank"), text);
    const [issue = ""] = issues.filter((each) => each.includes("mesh.tulle.dev/replay"));
    expect(issue).toMatch(/^error 5 metadata.annotations\["mesh.tulle.dev\/replay"\]/);
    expect(issue).toContain(message);
  });

  test("another word in a Service is refused", () => {
    const { issues } = read(bank("{replay: Strict}"));
    expect(issues.map(inShort)).toEqual([expect.stringContaining("error 1 spec.replay")]);
  });

  test("where callers send nothing that could come again is refused", () => {
    const refused = (spec: string) =>
      together(allowAll(), bank(spec)).filter((issue) => issue.includes("would protect nothing"));
    expect(refused("{responses: signed, evidence: binding}")).toEqual([
      expect.stringMatching(/^error 3 spec.responses: Callers of default\/bank/),
    ]);
    expect(refused("{replay: strict, evidence: binding}")).toEqual([
      expect.stringMatching(/^error 3 spec.replay: Callers of default\/bank/),
    ]);
    for (const spec of [
      "{replay: strict}",
      "{replay: strict, evidence: binding, endpoint: {binding: BANK, url: https://bank.example}}",
      "{evidence: binding}",
    ])
      expect(refused(spec)).toEqual([]);
  });
});

test("what happens to a request says that it is let in once, and that its answer must be signed", async () => {
  const mesh = (spec: string, value: string) =>
    compile(documents(service("web"), bank(spec), annotated(value)));
  const explained = async (spec: string, value: string) => {
    const snapshots = mesh(spec, value);
    const text = canonicalJson(snapshots.get("default/web"));
    const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    const destination = loaded.ok ? loaded.value.destination("default/bank") : undefined;
    if (!loaded.ok || destination === undefined) throw new Error("there is no bank");
    const { inbound } = snapshots.get("default/bank") ?? {};
    const access = inbound && {
      mode: inbound.mode,
      rules: inbound.authorization,
      ...(inbound.replay === undefined ? {} : { replay: inbound.replay }),
    };
    const request = { url: new URL("http://bank/"), method: "GET", headers: new Fields() };
    const answer = explainCall(loaded.value, destination, request, {
      now: 0,
      access: () => access,
      circuit: () => undefined,
    });
    const [{ replay, responses, sessionProofs } = {}] = answer.backends[0]?.endpoints ?? [];
    return [answer.replay, replay, responses, sessionProofs];
  };
  expect(await explained("{}", "window")).toEqual([undefined, undefined, undefined, undefined]);
  expect(await explained("{}", "strict")).toEqual(["strict", undefined, undefined, undefined]);
  expect(await explained("{replay: strict, responses: signed}", "window")).toEqual([
    undefined,
    "strict",
    "signed",
    "refused",
  ]);
  const each = await explained("{sessionProofs: refused}", "window");
  expect(each).toEqual([undefined, undefined, undefined, "refused"]);
});

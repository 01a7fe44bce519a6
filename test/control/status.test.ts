import { reset } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import type { ChangeAnswer, CheckAnswer, Revision, StoredDocument } from "../../control/api/contract.ts";
import { api, apply, route, service } from "./support.ts";

beforeEach(() => reset());

const stored = async (kind: string, name: string): Promise<StoredDocument> =>
  (await api<StoredDocument>("GET", `/api/policies/${kind}/default/${name}`)).body;
const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
`;
/** The conditions of a route's parents, in short. */
const conditions = ({ status }: StoredDocument): readonly string[] => {
  if (status === undefined || !("parents" in status)) return [];
  return status.parents.flatMap((parent) =>
    parent.conditions.map((one) => `${one.type} ${one.status} ${one.reason}`),
  );
};

describe("a document's status", () => {
  test("is answered with it, for its newest text and since that came into force", async () => {
    await apply(service("web"));
    await apply(service("payments"), route("r", "web", "payments"));
    const one = await stored("HTTPRoute", "r");
    const [newest] = (await api<Revision[]>("GET", "/api/policies/history")).body;
    expect(one).toMatchObject({
      revision: 2,
      status: {
        parents: [
          {
            parentRef: { group: "mesh.tulle.dev", kind: "Service", name: "web" },
            controllerName: "mesh.tulle.dev/gateway-controller",
            conditions: [
              { type: "Accepted", status: "True", observedGeneration: 2, lastTransitionTime: newest?.at },
              { type: "ResolvedRefs", status: "True", observedGeneration: 2, lastTransitionTime: newest?.at },
            ],
          },
        ],
      },
    });
    await apply(`${route("r", "web", "payments")}# newer\n`);
    expect((await stored("HTTPRoute", "r")).status).toMatchObject({
      parents: [{ conditions: [{ observedGeneration: 3 }, { observedGeneration: 3 }] }],
    });
  });

  test("is there in lists too, and not for kinds that have none", async () => {
    await apply(service("web"), gateway, route("r", "web", "web"));
    const { body } = await api<StoredDocument[]>("GET", "/api/policies");
    expect(body.map(({ kind, status }) => [kind, status !== undefined])).toEqual([
      ["Gateway", true],
      ["HTTPRoute", true],
      ["Service", false],
    ]);
    expect(body[0]?.status).toMatchObject({
      conditions: [
        { type: "Accepted", status: "True" },
        { type: "Programmed", status: "False", reason: "NoResources" },
      ],
    });
  });

  test("follows what the document refers to, while its text stays as it is", async () => {
    await apply(service("web"), route("r", "web", "payments"));
    expect(conditions(await stored("HTTPRoute", "r"))).toEqual([
      "Accepted True Accepted",
      "ResolvedRefs False BackendNotFound",
    ]);
    await apply(service("payments"));
    expect(conditions(await stored("HTTPRoute", "r"))).toContain("ResolvedRefs True ResolvedRefs");
    await api("DELETE", "/api/policies/Service/default/payments");
    expect(conditions(await stored("HTTPRoute", "r"))).toContain("ResolvedRefs False BackendNotFound");
  });

  test("that stands in a text is told not to be read, and the text stays as it was written", async () => {
    const text = `${route("r", "web", "web")}status: { parents: [] }\n`;
    const { status, body } = await apply(service("web"), text);
    expect(status).toBe(200);
    expect(body.issues).toContainEqual(
      expect.objectContaining({ severity: "warning", path: "status", document: "HTTPRoute/default/r" }),
    );
    expect(await stored("HTTPRoute", "r")).toMatchObject({ text, status: { parents: [{}] } });
  });

  test("that is not as it should be is told by the check, with what to do", async () => {
    await apply(service("web"), gateway, route("r", "web", "payments"));
    const { body } = await api<CheckAnswer>("GET", "/api/check");
    expect(body.checks).toContainEqual({
      name: "HTTPRoute/default/r",
      result: "warning",
      detail: "parent Service/web: ResolvedRefs is False (BackendNotFound).",
      remedy:
        "spec.rules[0].backendRefs[0]: The Service default/payments does not exist; add it, or correct the name.",
    });
    expect(body.checks.map(({ name, detail }) => `${name} ${detail}`)).toContain(
      "Gateway/default/public Programmed is False (NoResources).",
    );
    await apply(service("payments"), service("gateway"));
    const mended = (await api<CheckAnswer>("GET", "/api/check")).body.checks;
    expect(mended).toContainEqual(expect.objectContaining({ name: "routes", result: "ok" }));
  });
});

describe("applying strictly", () => {
  const strictly = (...texts: readonly string[]) =>
    api<ChangeAnswer>("POST", "/api/policies", {
      sources: texts.map((text, index) => ({ source: `${index}.yaml`, text })),
      strict: true,
    });

  test("refuses what would be accepted with a condition otherwise, with path and line", async () => {
    const { status, body } = await strictly(service("web"), route("r", "web", "payments"));
    expect([status, body.applied]).toEqual([422, false]);
    expect(body.issues).toContainEqual(
      expect.objectContaining({
        severity: "error",
        source: "1.yaml",
        line: 14,
        path: "spec.rules[0].backendRefs[0].name",
      }),
    );
  });

  test("does not ask its author to mend what was unresolved before", async () => {
    await apply(service("web"), route("r", "web", "payments"));
    expect((await strictly(service("orders"))).body).toMatchObject({ applied: true });
  });

  test("refuses a change that takes away what documents of others refer to", async () => {
    const ported = (port: number) => service("web", `  ports: [{ port: ${port} }]\n`);
    const toPort = `${route("r", "web", "web")}          port: 80\n`;
    expect((await strictly(ported(80), toPort)).body).toMatchObject({ applied: true });
    const { status, body } = await strictly(ported(81));
    expect([status, body.applied]).toEqual([422, false]);
    expect(body.issues).toContainEqual(
      expect.objectContaining({ severity: "error", document: "HTTPRoute/default/r" }),
    );
  });
});

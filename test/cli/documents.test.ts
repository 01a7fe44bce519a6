import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChangeAnswer, Issue, Revision, StoredDocument } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { startStandIn } from "./stand-in.ts";
import { temporaryDirectory, tulleAt } from "./tulle.ts";

const written = "# weights are tens of percent\nkind: HTTPRoute\nmetadata: { name: payments }\n";
const route: StoredDocument = {
  kind: "HTTPRoute",
  namespace: "default",
  name: "payments",
  revision: 7,
  text: written,
};
const service: StoredDocument = { ...route, kind: "Service", text: '{"kind":"Service"}' };
const deleted = (kind: string, revision: number): ChangeAnswer => ({
  revision,
  applied: true,
  changes: [
    { kind, namespace: "default", name: "payments", action: "deleted", diff: "--- a\n+++ /dev/null\n" },
  ],
  issues: [],
});
const dangling: Issue = {
  severity: "error",
  source: "",
  line: 4,
  column: 7,
  document: "HTTPRoute/default/payments",
  path: "spec.rules[0].backendRefs[0]",
  expected: "",
  found: "",
  message: "Service/default/payments is named here; delete the route first.",
};

const condition = (type: string, status: "True" | "False") => ({
  type,
  status,
  reason: status === "True" ? type : `Not${type}`,
  message: "",
  observedGeneration: 7,
  lastTransitionTime: "2026-05-01T12:00:00.000Z",
});
const parent = (accepted: "True" | "False", resolved: "True" | "False") => ({
  parentRef: { group: "", kind: "Service", name: "payments" },
  controllerName: "mesh.tulle.dev/gateway-controller",
  conditions: [condition("Accepted", accepted), condition("ResolvedRefs", resolved)],
});

describe("tulle get", () => {
  test("lists what is in force", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies", [route, service]);
    const ended = await tulleAt(standIn, ["get"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(
      [
        "KIND        NAMESPACE   NAME       REVISION",
        "HTTPRoute   default     payments          7",
        "Service     default     payments          7",
        "",
      ].join("\n"),
    );
  });

  test("shows in columns what routes and Gateways have come to, and in one word where that is everywhere so", async () => {
    await using standIn = await startStandIn();
    const two = { parents: [parent("True", "True"), parent("False", "False")] };
    standIn.answer("GET /api/policies", [
      { ...route, status: { parents: [parent("True", "False")] } },
      { ...route, name: "two", status: two },
      {
        ...route,
        kind: "Gateway",
        name: "public",
        status: {
          conditions: [condition("Accepted", "True"), condition("Programmed", "False")],
          listeners: [
            {
              name: "http",
              supportedKinds: [],
              attachedRoutes: 1,
              conditions: [condition("ResolvedRefs", "True")],
            },
          ],
        },
      },
      service,
    ]);
    const ended = await tulleAt(standIn, ["get"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | "))).toEqual([
      "KIND | NAMESPACE | NAME | REVISION | ACCEPTED | RESOLVED | PROGRAMMED",
      "HTTPRoute | default | payments | 7 | True | False (NotResolvedRefs)",
      "HTTPRoute | default | two | 7 | 1 of 2 (NotAccepted) | 1 of 2 (NotResolvedRefs)",
      "Gateway | default | public | 7 | True | True | False (NotProgrammed)",
      "Service | default | payments | 7",
      "",
    ]);
  });

  test.each([
    ["block style", "# why\nkind: HTTPRoute # what\nmetadata: { name: payments }\n# the end\n"],
    ["an indented block", "  kind: HTTPRoute # what\n  metadata: { name: payments }"],
    ["a text that ends its document", "kind: HTTPRoute\nmetadata: { name: payments } # what\n...\n"],
    ["flow style", "{ kind: HTTPRoute, metadata: { name: payments } } # what\n"],
    ["JSON", '{\n  "kind": "HTTPRoute",\n  "metadata": { "name": "payments" }\n}'],
    [
      "a status that stands there",
      "kind: HTTPRoute # what\nmetadata: { name: payments }\nstatus: { old: true }\n",
    ],
  ])("prints the status after a document in %s, and YAML reads both", async (_name, text) => {
    await using standIn = await startStandIn();
    const status = { parents: [parent("True", "False")] };
    standIn.answer("GET /api/policies/:kind/:namespace/:name", { ...route, text, status });
    const ended = await tulleAt(standIn, ["get", "route", "payments", "-o", "yaml"]);
    expect(parse(ended.stdout)).toEqual({ kind: "HTTPRoute", metadata: { name: "payments" }, status });
    for (const comment of text.match(/#.*/g) ?? []) expect(ended.stdout).toContain(comment);
    const inJson = await tulleAt(standIn, ["get", "route", "payments", "-o", "json"]);
    expect(JSON.parse(inJson.stdout)).toMatchObject({ status });
  });

  test.each([
    ["httproutes", "HTTPRoute"],
    ["HTTPRoute", "HTTPRoute"],
    ["svc", "Service"],
    ["services", "Service"],
    ["AUTHORIZATIONPOLICIES", "AuthorizationPolicy"],
    ["telemetry", "Telemetry"],
  ])("understands the kind %s", async (typed, kind) => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies", []);
    const ended = await tulleAt(standIn, ["get", typed, "-n", "shop"]);
    expect(ended).toMatchObject({ code: 0, stdout: "", stderr: "There is no such document in force.\n" });
    expect(Object.fromEntries(standIn.received[0]?.url.searchParams ?? [])).toEqual({
      kind,
      namespace: "shop",
    });
  });

  test("gives documents as they were written with -o yaml, comments and all", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies/:kind/:namespace/:name", route);
    const ended = await tulleAt(standIn, ["get", "httproute", "payments", "-o", "yaml"]);
    expect(ended).toMatchObject({ code: 0, stdout: written });
    expect(standIn.received[0]?.url.pathname).toBe("/api/policies/HTTPRoute/default/payments");
  });

  test("gives since when a document has been there with -o yaml, and tells beside it that it is refused", async () => {
    await using standIn = await startStandIn();
    const issue = {
      severity: "error",
      source: "",
      line: 3,
      column: 1,
      document: "HTTPRoute/default/payments",
      path: "spec",
      expected: "",
      found: "",
      message: "spec is wrong.",
    } as const;
    standIn.answer("GET /api/policies/:kind/:namespace/:name", {
      ...{ kind: "HTTPRoute", namespace: "default", name: "payments", revision: 7 },
      text: "kind: HTTPRoute\nmetadata:\n  name: payments\n",
      creationTimestamp: "2026-02-03T04:05:06.789Z",
      refused: { issues: [issue], meanwhile: "It answers 500." },
    });
    const ended = await tulleAt(standIn, ["get", "route", "payments", "-o", "yaml"]);
    expect(ended.stdout).toBe(
      'kind: HTTPRoute\nmetadata:\n  creationTimestamp: "2026-02-03T04:05:06.789Z"\n  name: payments\n',
    );
    expect(ended.stderr).toBe(
      "HTTPRoute/default/payments is in force, and this version of Tulle refuses it: spec is wrong. It answers 500.\n",
    );
  });

  test("keeps line ends and characters as they are where a program reads", async () => {
    await using standIn = await startStandIn();
    const text = 'kind: HTTPRoute\r\nnote: "\u0085"\r\n';
    standIn.answer("GET /api/policies", [
      { ...route, text },
      { ...route, text: "---\nkind: Service" },
    ]);
    const ended = await tulleAt(standIn, ["get", "-o", "yaml"]);
    expect(ended.stdout).toBe(`${text}---\nkind: Service\n`);
  });

  test("separates several documents so that apply reads them back", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies", [route, service]);
    const ended = await tulleAt(standIn, ["-o", "yaml", "get"]);
    expect(ended.stdout).toBe(`${written}---\n${service.text}\n`);
  });

  test("takes a name with its namespace, and gives control's answer with -o json", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies/:kind/:namespace/:name", route);
    const ended = await tulleAt(standIn, ["get", "route", "shop/payments", "-o", "json"]);
    expect(JSON.parse(ended.stdout)).toEqual(route);
    expect(standIn.received[0]?.url.pathname).toBe("/api/policies/HTTPRoute/shop/payments");
  });

  test("exits with 1 for a document that does not exist", async () => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, ["get", "svc", "nobody"]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toContain("There is no such thing. /api/policies/Service/default/nobody");
  });

  test.each([
    ["an unknown kind", ["get", "pods"], "The kinds are AuthorizationPolicy, Gateway"],
    ["a name that would be another path", ["get", "svc", "../history"], "not a namespace"],
    ["a name that is dots", ["get", "svc", ".."], "is not a name"],
    ["two namespaces", ["get", "svc", "a/b", "-n", "c"], "different namespaces"],
    ["an unknown format", ["get", "-o", "xml"], "table, json, yaml"],
  ])("exits with 2 for %s, and asks control nothing", async (_what, words, message) => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, words);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(standIn.received).toEqual([]);
  });
});

describe("tulle delete", () => {
  test("deletes one document", async () => {
    await using standIn = await startStandIn();
    standIn.answer("DELETE /api/policies/:kind/:namespace/:name", deleted("HTTPRoute", 8));
    const ended = await tulleAt(standIn, ["delete", "httproute", "payments", "--expected-revision", "7"]);
    expect(ended).toMatchObject({
      code: 0,
      stdout: "HTTPRoute/default/payments  deleted\nRevision 8 is in force: 1 deleted.\n",
    });
    expect(standIn.received[0]?.url.search).toBe("?expectedRevision=7");
  });

  test("deletes what files name, referrers first, each on top of the revision before", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    let revision = 7;
    standIn.handle("DELETE /api/policies/:kind/:namespace/:name", ({ url }, response) => {
      revision += 1;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(deleted(url.pathname.split("/")[3] ?? "", revision)));
    });
    const text =
      "kind: Service\nmetadata: { name: payments }\n---\n# nothing here\n---\nkind: HTTPRoute\nmetadata: { name: payments, namespace: shop }\n";
    writeFileSync(join(directory.path, "all.yaml"), text);

    const ended = await tulleAt(standIn, ["delete", "-f", "all.yaml", "--expected-revision", "7"], {
      cwd: directory.path,
    });

    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("Revision 9 is in force: 2 deleted.");
    expect(standIn.received.map(({ url }) => url.pathname + url.search)).toEqual([
      "/api/policies/HTTPRoute/shop/payments?expectedRevision=7",
      "/api/policies/Service/default/payments?expectedRevision=8",
    ]);
  });

  test("a refusal names the document that stands in the way and exits with 3", async () => {
    await using standIn = await startStandIn();
    const answer = { revision: 7, applied: false, changes: [], issues: [dangling] };
    standIn.answer("DELETE /api/policies/:kind/:namespace/:name", answer, 422);
    const ended = await tulleAt(standIn, ["delete", "svc", "payments"]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain(
      "HTTPRoute/default/payments:4:7  error  spec.rules[0].backendRefs[0]: Service/default/payments is named here",
    );
  });

  test("says how far it came when a later document does not exist", async () => {
    await using standIn = await startStandIn();
    standIn.handle("DELETE /api/policies/:kind/:namespace/:name", ({ url }, response) => {
      const known = url.pathname.includes("HTTPRoute");
      response.writeHead(known ? 200 : 404, {
        "content-type": known ? "application/json" : "application/problem+json",
      });
      response.end(JSON.stringify(known ? deleted("HTTPRoute", 8) : { title: "There is no such thing" }));
    });
    const stdin = "kind: HTTPRoute\nmetadata: { name: a }\n---\nkind: Service\nmetadata: { name: b }\n";
    const ended = await tulleAt(standIn, ["delete", "-f", "-"], { stdin });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("Deleted 1 of 2 documents, then:");
  });

  test.each([
    ["a kind alone", ["delete", "svc"], ""],
    ["nothing", ["delete"], ""],
    ["a document without a name", ["delete", "-f", "-"], "kind: Service"],
    ["a text that is no YAML", ["delete", "-f", "-"], "kind: [Service"],
  ])("exits with 2 for %s, and deletes nothing", async (_what, words, stdin) => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, words, { stdin });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(standIn.received).toEqual([]);
  });
});

describe("tulle undo", () => {
  test.each([
    ["the newest revision", ["undo"], {}],
    ["one that is named", ["undo", "5", "--expected-revision", "7"], { revision: 5, expectedRevision: 7 }],
  ])("takes back %s", async (_what, words, body) => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/policies/undo", deleted("HTTPRoute", 8));
    const ended = await tulleAt(standIn, words);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toContain("Revision 8 is in force: 1 deleted.");
    expect(standIn.received[0]?.body).toEqual(body);
  });
});

describe("tulle history", () => {
  const revisions = [3, 2, 1].map(
    (revision): Revision => ({
      revision,
      parent: revision - 1,
      author: "ada",
      reason: revision === 3 ? "canary" : "",
      at: `2026-11-0${revision}T10:00:00.000Z`,
      digest: "d",
      changes: [{ kind: "HTTPRoute", namespace: "default", name: "payments", action: "changed" }],
    }),
  );

  test("tells who changed what, when and why, newest first, and what it left out", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies/history", revisions);
    const ended = await tulleAt(standIn, ["history", "httproute", "payments", "--limit", "2"]);
    expect(ended).toMatchObject({ code: 0, stderr: "1 older ones not shown; see --limit.\n" });
    expect(ended.stdout).toBe(
      [
        "REVISION   AT                     AUTHOR   CHANGES                              REASON",
        "       3   2026-11-03 10:00:00Z   ada      changed HTTPRoute/default/payments   canary",
        "       2   2026-11-02 10:00:00Z   ada      changed HTTPRoute/default/payments",
        "",
      ].join("\n"),
    );
    expect(standIn.received[0]?.url.search).toBe("?kind=HTTPRoute&namespace=default&name=payments");
  });

  test("gives YAML that is the answer", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/policies/history", revisions);
    const ended = await tulleAt(standIn, ["history", "-o", "yaml"]);
    expect(parse(ended.stdout)).toEqual(revisions);
  });
});

describe("tulle sync", () => {
  test("exits with 0 when all that was found in KV could be taken up", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/sync", { revision: 9, adopted: deleted("HTTPRoute", 9).changes, invalid: [] });
    const ended = await tulleAt(standIn, ["sync"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toContain("Took up 1 document from KV; revision 9 is in force.");
  });

  test("exits with 1 and says what is wrong with a document in KV", async () => {
    await using standIn = await startStandIn();
    const key = "policies/HTTPRoute/default/payments";
    standIn.answer("POST /api/sync", { revision: 9, adopted: [], invalid: [{ key, issues: [dangling] }] });
    const ended = await tulleAt(standIn, ["sync"]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`${key}  invalid\nHTTPRoute/default/payments:4:7  error`);
    expect(ended.stdout).toContain("1 document cannot be taken up; the last good ones stay.");
  });
});

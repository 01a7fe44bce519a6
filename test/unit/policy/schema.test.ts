import { describe, expect, test } from "vitest";
import { kinds } from "../../../mesh-runtime/policy/schema.ts";
import { broken, type Name, right } from "./right-documents.ts";
import { documents, read } from "./writing.ts";

describe("a right document", () => {
  test.each(Object.keys(right) as Name[])("of every kind is let through: %s", (name) => {
    const { written, issues } = read(right[name]);
    expect(issues).toEqual([]);
    expect(written).toHaveLength(1);
  });

  test("may have a name of 253 characters, dots or none, where Kubernetes lets it", () => {
    for (const name of ["a".repeat(253), `${"a".repeat(251)}.b`])
      for (const kind of ["Gateway", "HTTPRoute"]) {
        const spec =
          kind === "Gateway"
            ? `{gatewayClassName: tulle, listeners: [{name: ${name}, port: 80, protocol: HTTP}]}`
            : `{parentRefs: [{name: ${name}, sectionName: ${name}}]}`;
        const text = `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {name: ${name}}, spec: ${spec}}`;
        expect(read(text).issues).toEqual([]);
        expect(
          read(text.replace(`metadata: {name: ${name}`, `metadata: {name: ${name}c`)).issues,
        ).toHaveLength(1);
      }
  });

  test("has every default that a standard gives", () => {
    const [document] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [{name: g}]}}`,
    );
    expect(document).toEqual({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "a", namespace: "default" },
      spec: {
        parentRefs: [{ kind: "Gateway", name: "g" }],
        rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }] }],
      },
    });
    const [redirect] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [{name: g}], rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}], matches: [{headers: [{name: a, value: b}]}]}, {backendRefs: [{name: s, port: 80}]}]}}`,
    );
    expect(redirect?.spec).toMatchObject({
      rules: [
        {
          filters: [{ requestRedirect: { statusCode: 302 } }],
          matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [{ type: "Exact" }] }],
        },
        { backendRefs: [{ group: "", kind: "Service", weight: 1 }] },
      ],
    });
    const [gateway] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: a}, spec: {gatewayClassName: tulle, listeners: [{name: a, port: 80, protocol: HTTP}]}}`,
    );
    expect(gateway?.spec).toMatchObject({ listeners: [{ allowedRoutes: { namespaces: { from: "Same" } } }] });
  });
});
describe("issues", () => {
  test("are all told, in the order of the text", () => {
    const issues = broken("route", "weight: 90", "weight: -1\n          foo: 1\n          bar: 2");
    expect(issues.map((issue) => issue.split(":")[0])).toEqual([
      "error 22 spec.rules[0].backendRefs[0].weight",
      "error 23 spec.rules[0].backendRefs[0].foo",
      "error 24 spec.rules[0].backendRefs[0].bar",
    ]);
  });

  test("name source, document, what was expected and found", () => {
    expect(read(right.route.replace("weight: 10", "weight: -10")).issues).toEqual([
      {
        severity: "error",
        source: "test.yaml",
        line: 25,
        column: 19,
        document: "HTTPRoute/default/payments",
        path: "spec.rules[0].backendRefs[1].weight",
        expected: "a whole number from 0 to 1000000",
        found: "-10",
        message: "spec.rules[0].backendRefs[1].weight must be a whole number from 0 to 1000000, found -10.",
      },
    ]);
  });

  test("of one document do not hide another that is right", () => {
    const { written, issues } = read(`${right.service}---\nkind: Nothing\n---\n${right.traffic}`);
    expect(written.map(({ document }) => document.kind)).toEqual(["Service", "TrafficPolicy"]);
    expect(issues).toMatchObject([{ line: 16, document: "Nothing/default/?" }]);
  });

  test("in a List point into it", () => {
    const { issues } = read("kind: List\napiVersion: v1\nitems:\n  - kind: Servce\n");
    expect(issues).toMatchObject([
      { path: "items[0].kind", line: 4, message: expect.stringContaining('"Service"?') },
    ]);
  });

  test.each(["just a text", "- a\n- list", "12"])("say what a document is if %j is none", (text) => {
    expect(read(text).issues).toMatchObject([
      { line: 1, expected: "an object with apiVersion, kind, metadata and spec" },
    ]);
  });

  test("never repeat a long text whole", () => {
    const [issue] = read(right.service.replace("mode: STRICT", `mode: ${"s".repeat(5_000)}`)).issues;
    expect(issue?.message.length).toBeLessThan(250);
  });

  test("are sentences", () => {
    const { issues } = read(right.route.replaceAll(/value|name|type/g, "wrong"));
    expect(issues.length).toBeGreaterThan(3);
    for (const { message } of issues) expect(message).toMatch(/[.?]$/);
  });
});

test("every kind is in the table under its own name", () => {
  for (const kind of Object.keys(kinds)) {
    const { issues } = read(`{apiVersion: wrong, kind: ${kind}, metadata: {name: a}, spec: {}}`);
    expect(issues.map(({ path }) => path)).toContain("apiVersion");
    expect(issues.map(({ path }) => path)).not.toContain("kind");
  }
});

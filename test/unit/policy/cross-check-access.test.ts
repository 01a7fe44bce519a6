import { describe, expect, test } from "vitest";
import { allowAll, gateway, policy, service, together } from "./writing.ts";

const edge = [
  service("edge"),
  gateway("edge", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
  service("web"),
  allowAll(),
];
const access = (spec: string, name = "p"): string => policy("AuthorizationPolicy", name, spec);
const at = (name: string): string => `targetRefs: [{kind: Service, name: ${name}}]`;
const found = (...texts: readonly string[]): readonly string[] =>
  together(...edge, ...texts).map((issue) => issue.replace(/^(\w+) \d+ /, "$1 "));

describe("blocks of addresses", () => {
  const rules = "action: DENY, rules: [{from: [{source: {ipBlocks: [192.0.2.0/24]}}]}]";

  test("may stand in a policy for a gateway's Service", () => {
    expect(found(access(`{${at("edge")}, ${rules}}`))).toEqual([]);
  });

  test("may not stand where nobody knows an address", () => {
    const where = "error spec.rules[0].from[0].source.ipBlocks";
    expect(found(access(`{${at("web")}, ${rules}}`))).toEqual([
      expect.stringMatching(
        new RegExp(
          `^${where.replaceAll(/[[\].]/g, "\\$&")}.*known at a gateway alone, and default/web is none`,
        ),
      ),
    ]);
    expect(found(access(`{${rules}}`))).toEqual([expect.stringContaining("and most Services are none")]);
    expect(
      found(access(`{targetRefs: [{kind: Service, name: edge}, {kind: Service, name: web}], ${rules}}`)),
    ).toHaveLength(1);
  });
});

describe("a rule that no request matches is told", () => {
  const why = (rule: string, target = "web") => found(access(`{${at(target)}, rules: [${rule}, {}]}`));

  test.each([
    ['{to: [{operation: {methods: [GET], notMethods: ["*"]}}]}', "its methods is among notMethods"],
    ["{to: [{operation: {paths: [/a/b, /a/c*], notPaths: [/a*]}}]}", "its paths is among notPaths"],
    ['{to: [{operation: {hosts: [a.example], notHosts: ["*.example"]}}]}', "its hosts is among notHosts"],
    [
      "{from: [{source: {principals: [mesh.local/ns/default/sa/web], notPrincipals: [mesh.local/ns/default/sa/web]}}]}",
      "its principals is among notPrincipals",
    ],
    [
      "{from: [{source: {principals: [mesh.local/ns/default/sa/web], namespaces: [d-*]}}]}",
      "none of its principals is in one of its namespaces",
    ],
    [
      "{when: [{key: 'request.headers[x-a]', values: [a], notValues: [a*]}]}",
      "its values is among notValues",
    ],
    ["{when: [{key: mesh.evidence, values: [binding]}]}", "the Service demands evidence signature"],
  ])("%s: %s", (rule, reason) => {
    expect(why(rule)).toEqual([
      expect.stringMatching(/^warning spec\.rules\[0\]: .*AuthorizationPolicy\/default\/p\/0 never matches/),
    ]);
    expect(why(rule)[0]).toContain(reason);
  });

  test.each([
    "{to: [{operation: {methods: [GET, POST], notMethods: [GET]}}]}",
    "{to: [{operation: {paths: [/a*], notPaths: [/a/b]}}]}",
    '{to: [{operation: {paths: ["/{*}"], notPaths: ["/{**}/a"]}}]}',
    "{to: [{operation: {methods: [GET], notMethods: [GET]}}, {operation: {methods: [POST]}}]}",
    "{from: [{source: {principals: [mesh.local/ns/default/sa/web], namespaces: [default]}}]}",
    "{when: [{key: mesh.evidence, values: [binding, signature]}]}",
  ])("%s is none of them", (rule) => {
    expect(why(rule)).toEqual([]);
  });

  test("callers of the mesh are nobody at a gateway", () => {
    const reason = expect.stringContaining("callers from outside have no identity of the mesh");
    expect(why('{from: [{source: {principals: ["*"]}}]}', "edge")).toEqual([reason]);
    expect(why("{when: [{key: source.namespace, values: [default]}]}", "edge")).toEqual([reason]);
    expect(why("{from: [{source: {notNamespaces: [default]}}]}", "edge")).toEqual([]);
  });
});

test("names in conditions that nobody has are told with what was probably meant", () => {
  const issues = found(
    access(
      `{${at("web")}, rules: [{when: [{key: source.namespace, values: [defualt]}]}, {when: [{key: source.principal, notValues: [mesh.local/ns/default/sa/wep]}]}]}`,
    ),
  );
  expect(issues).toEqual([
    expect.stringMatching(
      /^warning spec\.rules\[0\]\.when\[0\]\.values\[0\]: .*No Service is in the namespace defualt; did you mean "default"/,
    ),
    expect.stringMatching(
      /^warning spec\.rules\[1\]\.when\[0\]\.notValues\[0\]: .*did you mean "spiffe:\/\/mesh\.local\/ns\/default\/sa\/web"/,
    ),
  ]);
});

describe("a dry run", () => {
  const annotated = (kind: string, name: string, value: string, spec: string): string =>
    `{apiVersion: mesh.tulle.dev/v1, kind: ${kind}, metadata: {name: p, annotations: {${name}: "${value}"}}, spec: ${spec}}`;

  test("is for rules about access alone", () => {
    expect(
      found(annotated("TrafficPolicy", "mesh.tulle.dev/dry-run", "true", `{${at("web")}, timeout: 1s}`)),
    ).toEqual([
      expect.stringContaining("read on an AuthorizationPolicy alone, and this TrafficPolicy is in force"),
    ]);
  });

  test("of what allows somebody leaves the Service closed", () => {
    const issues = together(
      service("web"),
      annotated("AuthorizationPolicy", "istio.io/dry-run", "true", "{rules: [{}]}"),
    );
    expect(issues).toEqual([expect.stringContaining("Nobody is allowed to call default/web")]);
  });
});

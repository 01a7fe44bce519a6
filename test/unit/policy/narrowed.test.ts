import { describe, expect, test } from "vitest";
import { crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import { parseDocuments } from "../../../mesh-runtime/policy/parse.ts";
import { readApplied, readDocument } from "../../../mesh-runtime/policy/schema.ts";
import { allowAll, gateway, inShort, policy, route, service } from "./writing.ts";

const parsed = (text: string) => parseDocuments([{ source: "test.yaml", text }]).parsed;
const rule = (more: string): string =>
  route("r", "name: web", `[{backendRefs: [{name: web, port: 80}], ${more}}]`);
const listener = (more: string): string =>
  gateway("web", `listeners: [{name: a, port: 443, protocol: HTTPS, ${more}}]`);

/** What earlier versions took, where it stands, and what is to be done. */
const taken: readonly (readonly [text: string, path: string, message: string])[] = [
  [
    route("r", "name: web", "[{backendRefs: [{name: web}]}]"),
    "spec.rules[0].backendRefs[0].port",
    "write port: 80",
  ],
  [
    rule("filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web}}}]"),
    "spec.rules[0].filters[0].requestMirror.backendRef.port",
    "write port: 80",
  ],
  [
    route(
      "r",
      "name: web",
      "[{backendRefs: [{name: web, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web}}}]}]}]",
    ),
    "spec.rules[0].backendRefs[0].filters[0].requestMirror.backendRef.port",
    "write port: 80",
  ],
  [
    rule("matches: [{headers: [{name: a, value: 'b  c'}]}]"),
    "spec.rules[0].matches[0].headers[0].value",
    "blanks stand alone",
  ],
  [
    rule("matches: [{headers: [{name: a, type: RegularExpression, value: 'é'}]}]"),
    "spec.rules[0].matches[0].headers[0].value",
    "visible ASCII",
  ],
  [
    rule(
      "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: 'b  c'}]}}]",
    ),
    "spec.rules[0].filters[0].requestHeaderModifier.set[0].value",
    "blanks stand alone",
  ],
  [
    rule(
      'filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: "b\\t c"}]}}]',
    ),
    "spec.rules[0].filters[0].responseHeaderModifier.add[0].value",
    "blanks stand alone",
  ],
  [rule("sessionPersistence: {}"), "spec.rules[0].sessionPersistence.cookie", "write cookie: {}"],
  [
    `{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XBackendTrafficPolicy, metadata: {name: b}, spec: {targetRefs: [{group: "", kind: Service, name: web}], sessionPersistence: {absoluteTimeout: 1h}}}`,
    "spec.sessionPersistence.cookie",
    "write cookie: {}",
  ],
  [listener("tls: {}"), "spec.listeners[0].tls.certificateRefs", "or leave tls out"],
  [
    listener("allowedRoutes: {namespaces: {from: None}}"),
    "spec.listeners[0].allowedRoutes.namespaces.from",
    "remove the listener",
  ],
  [
    policy("TrafficPolicy", "t", "{targetRefs: [{kind: Service, name: web}], timeout: 1s}").replace(
      "name: t,",
      "name: t, labels: {a: 'b c'},",
    ),
    "metadata.labels.a",
    "shorten it, or write an annotation",
  ],
];

describe("what earlier versions took and the CRDs refuse", () => {
  test.each(taken)("is refused where it is applied: %s", (text, path, message) => {
    const [read, ...more] = parsed(text).map(readApplied);
    expect(more).toEqual([]);
    expect(read?.written).toEqual([]);
    const issues = (read?.issues ?? []).map(inShort);
    expect(issues).toHaveLength(1);
    expect(issues[0]?.startsWith(`error 1 ${path}: ${path}: `), issues[0]).toBe(true);
    expect(issues[0]).toContain(message);
  });

  test.each(taken)("holds in a document in force, and is told: %s", (text, path, message) => {
    const read = parsed([service("web"), allowAll(), text].join("\n---\n")).map(readDocument);
    expect(read.flatMap(({ issues }) => issues)).toEqual([]);
    const issues = crossCheck(read.flatMap(({ written }) => written));
    expect(issues.filter(({ severity }) => severity === "error")).toEqual([]);
    const [one, ...others] = issues.filter((issue) => issue.path === path).map(inShort);
    expect(others).toEqual([]);
    expect(one).toContain(message);
    expect(one).toContain("it holds as before, until the document is applied again.");
  });
});

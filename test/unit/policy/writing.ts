import { crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import type { PolicyDocument, Written } from "../../../mesh-runtime/policy/documents.ts";
import type { Issue } from "../../../mesh-runtime/policy/issue.ts";
import { readDocuments } from "../../../mesh-runtime/policy/schema.ts";

/** Reads one text; what is right and what is not. */
export const read = (text: string) => readDocuments([{ source: "test.yaml", text }]);

/** Reads documents that must be right. */
export function written(...texts: readonly string[]): readonly Written[] {
  const result = read(texts.join("\n---\n"));
  if (result.issues.length > 0) throw new Error(JSON.stringify(result.issues, undefined, 1));
  return result.written;
}

export const documents = (...texts: readonly string[]): readonly PolicyDocument[] =>
  written(...texts).map(({ document }) => document);

/** The issues of documents together, as `severity line path: message`. */
export const together = (...texts: readonly string[]): readonly string[] =>
  crossCheck(written(...texts)).map(inShort);

export const inShort = ({ severity, line, path, message }: Issue): string =>
  `${severity} ${line} ${path}: ${message}`;

/** A Service in the namespace `default`, with members of its spec. */
export const service = (name: string, spec = "{}", namespace = "default"): string =>
  `{apiVersion: mesh.tulle.dev/v1, kind: Service, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}`;

/** A route that is attached to a Service. */
export const route = (name: string, parent: string, rules: string, namespace = "default"): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {parentRefs: [{kind: Service, group: "", ${parent}}], rules: ${rules}}}`;

/** A policy that lets everybody call the Services of the namespace `default`. */
export const allowAll = (namespace = "default"): string =>
  `{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: all, namespace: ${namespace}}, spec: {rules: [{}]}}`;

export const policy = (kind: string, name: string, spec: string, namespace = "default"): string =>
  `{apiVersion: mesh.tulle.dev/v1, kind: ${kind}, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}`;

export const gateway = (name: string, spec: string, more = ""): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ${name}, namespace: default${more}}, spec: {gatewayClassName: tulle, ${spec}}}`;

/** A route that is attached to a Gateway. */
export const entry = (name: string, spec: string, namespace = "default"): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {${spec}}}`;

import { expect } from "vitest";
import { read, route } from "./writing.ts";

/** What is said about a route with this one rule, from the rule on. */
export const issuesOf = (rule: string): readonly string[] =>
  read(route("r", "name: s", `[${rule}]`)).issues.map(({ severity, message }) => {
    expect([severity, message]).toEqual(["error", expect.stringMatching(/^spec\.rules\[0\]\./)]);
    return message.slice("spec.rules[0].".length);
  });

export const withFilters = (...filters: readonly string[]): string =>
  `{matches: [{path: {value: /a}}], filters: [${filters.join(", ")}]}`;
export const forBackend = (...filters: readonly string[]): string =>
  `{matches: [{path: {value: /a}}], backendRefs: [{name: b, port: 80, filters: [${filters.join(", ")}]}]}`;

export const mirror = (members: string): string => `{type: RequestMirror, requestMirror: {${members}}}`;
export const cors = (members: string): string => `{type: CORS, cors: {${members}}}`;
export const modifier = (members: string, type = "Request"): string =>
  `{type: ${type}HeaderModifier, ${type.toLowerCase()}HeaderModifier: {${members}}}`;
export const redirect = (members = ""): string => `{type: RequestRedirect, requestRedirect: {${members}}}`;
export const rewrite = (members = ""): string => `{type: URLRewrite, urlRewrite: {${members}}}`;
export const many = (count: number, each: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => each(index)).join(", ");

import { expect } from "vitest";
import { allowAll, gateway, service } from "./writing.ts";

/** One issue, whose short form begins and goes on so. */
export function expectOne(issues: readonly string[], beginning: string, ...parts: readonly string[]): void {
  expect(issues, issues.join("\n")).toHaveLength(1);
  expect(issues[0]).toContain(beginning);
  for (const part of parts) expect(issues[0]).toContain(part);
}

export const shop = [allowAll(), service("web"), service("payments")] as const;
export const http = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
export const edge = [service("gateway"), http] as const;

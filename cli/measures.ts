import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import { InvalidArgumentError } from "commander";
import type { Look } from "./terminal.ts";

const maxWindowMs = 3_600_000;

/** For options that say how far back to look, milliseconds. */
export function parseWindow(text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value >= 1_000 && parsed.value <= maxWindowMs) return parsed.value;
  throw new InvalidArgumentError(parsed.ok ? "It must be from 1s to 1h." : `It must be ${parsed.reason}.`);
}

/** One decimal, and never 100 % for what is less. */
export function percent(share: number): string {
  const shown = (share * 100).toFixed(1);
  return share < 1 && shown === "100.0" ? ">99.9%" : `${shown}%`;
}

/** A share of requests as an operator wrote it: as many decimals as it needs, two at most. */
export const sharePercent = (share: number): string => `${Number((share * 100).toFixed(2))}%`;

/** A latency as far as buckets tell it. */
export function latency(ms: number | undefined): string {
  if (ms === undefined) return "-";
  const last = latencyBoundsMs.at(-1) ?? Number.POSITIVE_INFINITY;
  if (ms >= last) return `≥${last / 1_000} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** How a success rate looks: from 99 % it is well, from 95 % it is worth a look. */
export const successLook = (rate: number): Look => (rate >= 0.99 ? "green" : rate >= 0.95 ? "yellow" : "red");

/** Milliseconds as documents write them: `250 ms`, `2 s`, `1.5 s`; 0 is none. */
export function durationText(ms: number): string {
  if (ms === 0) return "none";
  return ms < 1_000 ? `${ms} ms` : `${Number((ms / 1_000).toFixed(3))} s`;
}

import { no, ok, type Result } from "../foundation/result.ts";
import { tracesBody } from "./otlp.ts";
import type { SpanRecord } from "./words.ts";

export interface ExportOptions {
  readonly fetch: (request: Request) => Promise<Response>;
  /** Base URL; `/v1/traces` is appended. */
  readonly endpoint: string;
  /** What the collector wants to see, such as an API key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the attempt. */
  readonly signal?: AbortSignal;
}

/**
 * Sends spans to an OTLP/HTTP collector, once. Not tried again: whoever calls counts what was lost, because spans
 * that wait for a collector would grow without bound. Redirects are not followed, so that headers stay where they
 * were meant to go.
 * @returns the number of spans that were accepted, or why none was; never throws
 */
export async function exportSpans(
  options: ExportOptions,
  spans: readonly SpanRecord[],
): Promise<Result<number, string>> {
  if (spans.length === 0) return ok(0);
  try {
    const headers = new Headers(options.headers);
    headers.set("content-type", "application/json");
    const response = await options.fetch(
      new Request(`${options.endpoint.replace(/\/$/, "")}/v1/traces`, {
        method: "POST",
        headers,
        body: JSON.stringify(tracesBody(spans)),
        redirect: "manual",
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
    );
    await response.body?.cancel();
    return response.ok ? ok(spans.length) : no(`the collector answered ${response.status}`);
  } catch (error) {
    return no(error instanceof Error ? error.name : typeof error);
  }
}

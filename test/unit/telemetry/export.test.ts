import { describe, expect, test } from "vitest";
import { exportSpans } from "../../../mesh-runtime/telemetry/export.ts";
import { tracesBody } from "../../../mesh-runtime/telemetry/otlp.ts";
import { someSpan } from "./fixtures.ts";

function collector(answer: () => Response) {
  const requests: Request[] = [];
  const fetch = async (request: Request) => {
    requests.push(request);
    return answer();
  };
  return { requests, fetch };
}

describe("exportSpans()", () => {
  test("posts the spans as JSON below the endpoint, with the collector's headers", async () => {
    const { requests, fetch } = collector(() => new Response("{}"));
    const options = { fetch, endpoint: "https://otel.example.com/base/", headers: { "x-api-key": "k" } };
    expect(await exportSpans(options, [someSpan, someSpan])).toEqual({ ok: true, value: 2 });
    expect(requests.map(({ method, url }) => [method, url])).toEqual([
      ["POST", "https://otel.example.com/base/v1/traces"],
    ]);
    expect(requests[0]?.headers.get("content-type")).toBe("application/json");
    expect(requests[0]?.headers.get("x-api-key")).toBe("k");
    expect(await requests[0]?.json()).toEqual(tracesBody([someSpan, someSpan]));
  });

  test("sends nothing when there is nothing", async () => {
    const { requests, fetch } = collector(() => new Response());
    expect(await exportSpans({ fetch, endpoint: "https://otel.example.com" }, [])).toEqual({
      ok: true,
      value: 0,
    });
    expect(requests).toHaveLength(0);
  });

  test("does not follow a redirect with the collector's key in hand, nor tries again", async () => {
    const { requests, fetch } = collector(() => Response.redirect("https://elsewhere.example.com/", 307));
    const answer = await exportSpans({ fetch, endpoint: "https://otel.example.com" }, [someSpan]);
    expect(answer).toEqual({ ok: false, reason: "the collector answered 307" });
    expect(requests.map(({ redirect }) => redirect)).toEqual(["manual"]);
  });

  test("tells the name of an exception, whose message may hold the endpoint's secrets", async () => {
    const fetch = () => Promise.reject(new TypeError("https://key@otel.example.com"));
    const answer = await exportSpans({ fetch, endpoint: "https://otel.example.com" }, [someSpan]);
    expect(answer).toEqual({ ok: false, reason: "TypeError" });
  });

  test("an endpoint that is no URL is a failure like any other", async () => {
    const { fetch } = collector(() => new Response());
    expect(await exportSpans({ fetch, endpoint: "nowhere" }, [someSpan])).toMatchObject({ ok: false });
  });
});

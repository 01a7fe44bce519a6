import { describe, expect, test } from "vitest";
import { nextMessage, redirectTarget } from "../../../mesh-runtime/adapters/fetch/redirect.ts";
import type { Message } from "../../../mesh-runtime/foundation/exchange.ts";

const here = new URL("http://payments/charge?a=1");
const there = new URL("http://payments/receipt");
const body = new TextEncoder().encode("amount=1");

const message = (method: string, given: Message["body"] = null): Message => ({
  url: here,
  method,
  headers: new Headers({ authorization: "Bearer app", "content-type": "text/plain", "x-app": "1" }),
  body: given,
});

describe("redirectTarget()", () => {
  test.each([301, 302, 303, 307, 308])(
    "takes %i with a location for a redirect, relative to what was asked",
    (status) => {
      const response = new Response(null, { status, headers: { location: "receipt?b=2" } });
      expect(redirectTarget(response, here)?.href).toBe("http://payments/receipt?b=2");
    },
  );

  test.each([200, 201, 300, 304, 305, 404])("takes %i for none", (status) => {
    const response = new Response(null, { status, headers: { location: "/receipt" } });
    expect(redirectTarget(response, here)).toBeUndefined();
  });

  test("takes a redirect without location for an answer", () => {
    expect(redirectTarget(new Response(null, { status: 302 }), here)).toBeUndefined();
  });
});

describe("nextMessage()", () => {
  test.each([
    ["POST", 301, "GET"],
    ["POST", 302, "GET"],
    ["POST", 303, "GET"],
    ["PUT", 303, "GET"],
    ["PUT", 301, "PUT"],
    ["DELETE", 302, "DELETE"],
    ["HEAD", 303, "HEAD"],
    ["POST", 307, "POST"],
    ["POST", 308, "POST"],
  ])("goes on after %s and %i with %s (Fetch §4.4)", (method, status, next) => {
    expect(nextMessage(message(method), status, there)).toMatchObject({ method: next, url: there });
  });

  test("leaves the body and what speaks of it behind where the method becomes GET", () => {
    const next = nextMessage(message("POST", body), 303, there);
    expect(next.body).toBeNull();
    expect([...next.headers.keys()]).toEqual(["authorization", "x-app"]);
  });

  test.each(["file:///etc/passwd", "data:text/plain,forged", "blob:http://payments/1", "ftp://payments/"])(
    "does not follow a callee to %s, which some runtimes' fetch would read",
    (location) => {
      const response = new Response(null, { status: 302, headers: { location } });
      const to = redirectTarget(response, here) ?? here;
      expect(() => nextMessage(message("GET"), 302, to)).toThrow(TypeError);
    },
  );

  test("sends bytes again, and refuses to send a stream again", () => {
    expect(nextMessage(message("POST", body), 307, there).body).toBe(body);
    expect(() => nextMessage(message("POST", new ReadableStream()), 308, there)).toThrow(TypeError);
  });

  test.each([
    ["http://payments/other", true],
    ["https://payments/charge", false],
    ["http://ledger/charge", false],
    ["http://payments:81/charge", false],
  ])("to %s it takes authorization along: %s", (to, kept) => {
    expect(nextMessage(message("GET"), 302, new URL(to)).headers.has("authorization")).toBe(kept);
  });

  test("leaves the headers of the message before it alone", () => {
    const before = message("POST", body);
    nextMessage(before, 303, new URL("http://ledger/"));
    expect([...before.headers.keys()]).toEqual(["authorization", "content-type", "x-app"]);
  });
});

import { expect } from "vitest";

const answer = (status: number, more: object = {}): unknown => expect.objectContaining({ status, ...more });
const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** The callee tells what it was asked. */
export const echoed = (...parts: readonly string[]): unknown =>
  expect.objectContaining({
    status: 200,
    url: expect.stringMatching(/^http:\/\/callee\.example\//),
    body: expect.stringMatching(new RegExp(parts.map(literally).join(".*"))),
  });
const typeError = expect.objectContaining({ name: "TypeError" });
const conversation = {
  status: 101,
  heard: ["welcome", "you said hello", "2 3 251"],
  closed: { code: 4_000, reason: "as you wish" },
};

/**
 * What each probe of `workers/pass-through/probes.ts` answers without a mesh, as far as its name promises it. In the
 * mesh everything else is equal too.
 */
export const answers: Readonly<Record<string, unknown>> = {
  "a GET with query, fragment and headers": echoed('"GET"', "/echo?q=1&q=2", '"accept","*/*"', '"x-app","1"'),
  "a Request with a body": echoed('"PUT"', '"length":"6"', "a text"),
  "a Request with further options": echoed('"DELETE"', '"x-app","1"'),
  "a URL object": echoed('"GET"'),
  "a POST with text and authorization": echoed('"POST"', "Bearer abc", '"length":"8"', "größer"),
  "a POST without a body": echoed('"POST"', '"length":null', '"body":""'),
  "a POST with an empty body": echoed('"POST"', '"length":"0"', '"body":""'),
  "a POST with URL parameters": echoed("application/x-www-form-urlencoded", "a=1+2&b=%C3%BC"),
  "platform properties of a request": echoed('"cf":{"colo":"VIE"}'),
  "a form with a file": answer(200, {
    body: JSON.stringify(["größer", "notes.txt", "text/plain", "inside"]),
  }),
  "a JSON answer with its own status text": answer(201, { statusText: "Made" }),
  "an answer 404": answer(404, { statusText: "Nowhere", body: "nothing here" }),
  "an answer 204": answer(204, { headers: [["x-app", "1"]], body: "" }),
  "an answer 304": answer(304, { headers: [["x-app", "1"]], body: "" }),
  "a HEAD": answer(200, { headers: expect.arrayContaining([["etag", '"1"']]), body: "" }),
  "two cookies": ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
  "a compressed answer": answer(200, { body: "squeezed ".repeat(100) }),
  "a compressed answer that is passed on": "squeezed ".repeat(100),
  "a large body there and back": [900_000, true],
  "a large body of unknown length": { bytes: 800_000, sum: 11_394 },
  "a body larger than is digested": [200, { bytes: 3_000_000, sum: 23_254 }],
  "a large request that is passed on": { declared: "1500000", bytes: 1_500_000, sum: 16_640 },
  "a body that has been read already": typeError,
  "a request whose last chunk waits for the answer to its first": { before: 5_000, rest: "the last" },
  "an answer that never ends": ["0", "1", "2"],
  "an answer that its reader has enough of": ["cancelled"],
  "a WebSocket": { ...conversation, protocol: null },
  "a WebSocket with a protocol": { ...conversation, protocol: "chat" },
  "a redirect that is not followed": answer(302, { headers: [["location", "/echo"]], redirected: false }),
  "a redirect that is followed": answer(200, { url: "http://callee.example/echo", redirected: true }),
  "a redirect 303 after a POST": { status: 200, redirected: true, method: "GET", body: "" },
  "a redirect 307 with a body": echoed('"POST"', '"length":"4"', "kept"),
  "a redirect 308 with a body that was a stream": "TypeError",
  "a redirect to another origin": answer(200, {
    url: "http://elsewhere.example/echo",
    redirected: true,
    body: expect.stringContaining('"authorization",null'),
  }),
  "a redirect to the same origin": echoed("Bearer abc"),
  "a redirect to itself": "TypeError",
  "a redirect mode that the platform refuses": typeError,
  "a URL without origin": typeError,
  "a method that is none": typeError,
  "a method in lower case": { value: echoed('"PATCH"') },
  "a signal that has fired before": { name: "RangeError", message: "before" },
  "an abort under way": [expect.objectContaining({ name: "AbortError" }), ["began", "aborted"]],
  "a signal with a timeout": [expect.objectContaining({ name: "TimeoutError" }), ["began", "aborted"]],
  "work that goes on after the answer": ["answered", ["done after the answer"]],
  "an RPC method": 5,
  "an RPC method with an object and bytes": "notes: 17 bytes",
  "a function that came over RPC": [2, 7],
  "pipelined RPC calls": 4,
  "an RPC method that throws": { name: "RangeError", message: "over RPC" },
  "a KV namespace": [expect.objectContaining({ value: "kept", metadata: { n: 1 } }), "[object KvNamespace]"],
  "a Durable Object namespace with the name of a service": answer(200, {
    body: JSON.stringify({ url: "http://signed/entry", headers: [] }),
  }),
  "the environment": [["LEDGER", "STORE"], true, false],
};

import { describe, expect, test } from "vitest";
import { joinedFields, parseCaptured } from "../../cli/captured-request.ts";
import { Failure } from "../../cli/failure.ts";

const headers = [
  ["host", "payments"],
  ["workload-identity-token", "eyJhbGciOiJFUzI1NiJ9.e30.AA"],
  ["signature-input", 'wimse=("@method" "@request-target");created=1;tag="t"'],
  ["signature", "wimse=:AAAA:"],
] as const;
const target = "/charge?amount=3&note=";
const url = `https://payments${target}`;
const lines = headers.map((pair) => pair.join(": ")).join("\r\n");
const raw = `POST ${target} HTTP/1.1\r\n${lines}\r\n\r\n`;
const object = Object.fromEntries(headers);
const pairs = headers.map(([name, value]) => ({ name, value }));
const request = { method: "POST", url, headers: pairs };
const time = "2026-11-23T10:00:00.000Z";
const json = JSON.stringify;

describe("parseCaptured()", () => {
  test.each<readonly [string, string, string | undefined]>([
    ["raw HTTP/1.1", raw, target],
    ["raw HTTP/1.1 with plain line feeds and a mark in front", `\uFEFF\n${raw.replaceAll("\r", "")}`, target],
    ["a first line with the whole URL", `POST ${url}\n${lines}`, url],
    [
      "what curl -v prints",
      `* Connected to payments\n> ${raw.trimEnd().replaceAll("\r\n", "\n> ")}\n>\n< HTTP/1.1 400 Bad Request\n< x: y\n{ [97 bytes data]\n`,
      target,
    ],
    [
      "HTTP/2 as it is logged",
      `:method: POST\n:scheme: https\n:authority: payments\n:path: ${target}\n${lines}`,
      target,
    ],
    ["a line that is folded", raw.replace('" "', '"\r\n\t"'), target],
    ["a HAR with one request", json({ log: { entries: [{ request }] } }), url],
    [
      "a HAR with one that has a token",
      json({ log: { entries: [{ request: { headers: [{ name: "accept", value: "x" }] } }, { request }] } }),
      url,
    ],
    ["an entry of a HAR", json({ startedDateTime: time, request }), url],
    [
      "the event of a Worker's log",
      json({ event: { request: { method: "POST", url, headers: object } } }),
      url,
    ],
    ["method, URL and an object of headers", json({ method: "POST", url, headers: object }), url],
  ])("reads %s", (_form, text, expected) => {
    const read = parseCaptured(text, "file");
    expect([read.method, read.target]).toEqual(["POST", expected]);
    expect(read.headers).toEqual(headers);
  });

  test.each<readonly [string, string]>([
    ["lines", lines],
    ["an object", json(object)],
    ["an object of lists", json(Object.fromEntries(headers.map(([name, value]) => [name, [value]])))],
    ["pairs", json(headers)],
    ["objects of name and value", json(pairs)],
    ["names and values in turn, as Node.js has them", json(headers.flat())],
    ["a list of lines", json(headers.map((pair) => pair.join(": ")))],
  ])("reads headers alone, as %s", (_form, text) => {
    expect(parseCaptured(text, "file")).toEqual({
      method: undefined,
      target: undefined,
      headers,
      body: undefined,
      capturedAt: undefined,
    });
  });

  test("reads the body behind the headers, as long as they say that it is", () => {
    const bodyOf = (text: string) => {
      const { body } = parseCaptured(text, "file");
      return body && new TextDecoder().decode(body);
    };
    expect(bodyOf(raw)).toBeUndefined();
    expect(bodyOf(`${raw}a\nb`)).toBe("a\nb");
    expect(bodyOf(`content-length: 3\r\n\r\na\nb\n`)).toBe("a\nb");
    expect(bodyOf(json({ ...request, body: "a" }))).toBe("a");
    expect(bodyOf(json({ ...request, postData: { text: "a" } }))).toBe("a");
  });

  test("finds out when it was", () => {
    const timeOf = (text: string) => parseCaptured(text, "file").capturedAt;
    const when = Date.parse(time);
    expect(timeOf(`${raw.trimEnd()}\r\nDate: ${new Date(when).toUTCString()}\r\n`)).toBe(when);
    expect(timeOf(`> GET / HTTP/2\n> a: b\n>\n< HTTP/2 400\n< date: ${new Date(when).toUTCString()}\n`)).toBe(
      when,
    );
    expect(timeOf(json({ startedDateTime: time, request }))).toBe(when);
    expect(timeOf(json({ log: { entries: [{ startedDateTime: time, request }] } }))).toBe(when);
    expect(timeOf(json({ eventTimestamp: when, event: { request } }))).toBe(when);
    expect(timeOf(`${raw.trimEnd()}\r\nDate: yesterday\r\n`)).toBeUndefined();
  });

  test.each<readonly [string, string, string]>([
    ["nothing", "", "There is no header in file."],
    ["a first line alone", "POST /charge HTTP/1.1\n\n", "There is no header in file."],
    ["prose", "secret, what was that again\n", "Line 1 of the request in file is no header"],
    ["prose below headers", "a: b\nsecret, again\n", "Line 2 of the request in file is no header"],
    ["broken JSON", '{"secret": ', "file begins like JSON and is none."],
    ["JSON without headers", '{"a": {"secret": 1}}', "There are no headers in file."],
    ["headers that are no text", '{"headers": {"a": {"secret": 1}}}', "There are no headers in file."],
    [
      "a HAR of nothing",
      '{"log":{"entries":[]}}',
      "file holds 0 requests, 0 of them with a workload's token.",
    ],
    ["a HAR of two", json({ log: { entries: [{ request }, { request }] } }), "file holds 2 requests"],
    [
      "what a log has taken the token out of",
      "GET / HTTP/1.1\nWorkload-Identity-Token: REDACTED\n",
      "In file the value of workload-identity-token is REDACTED: a log took it out.",
    ],
  ])("says what is wrong with %s, without a word of it", (_what, text, message) => {
    const failure = (() => {
      try {
        return parseCaptured(text, "file");
      } catch (error) {
        return error;
      }
    })();
    if (!(failure instanceof Failure)) throw new Error(`it was read: ${json(failure)}`);
    expect(failure.exitCode).toBe(2);
    expect(failure.message).toContain(message);
    expect(failure.message + failure.remedy).not.toMatch(/secret|again|eyJ/);
  });
});

test("joinedFields() joins lines of one name as a runtime does, and names them", () => {
  const { fields, repeated } = joinedFields([...headers, ["Signature", "b=:BBBB:"]]);
  expect(fields.get("signature")).toBe("wimse=:AAAA:, b=:BBBB:");
  expect(repeated).toEqual(["signature"]);
});

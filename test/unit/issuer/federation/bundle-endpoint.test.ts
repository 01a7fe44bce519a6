import { afterEach, describe, expect, test, vi } from "vitest";
import { fetchBundle, readEndpoint } from "../../../../control/issuer/federation/bundle-endpoint.ts";

const url = "https://partner.example/bundle.json";
afterEach(() => vi.unstubAllGlobals());

/** What an endpoint that answers so comes to, and the request that it got. */
async function answered(response: () => Response | Promise<Response>) {
  const fetched = vi.fn(async (_url: string, _init: RequestInit) => response());
  vi.stubGlobal("fetch", fetched);
  return { found: await fetchBundle(url), asked: fetched.mock.calls };
}

describe("readEndpoint()", () => {
  test.each([
    url,
    "https://partner.example:8443/a/b?c=d",
    "http://127.0.0.1:8080/x",
    "http://localhost/x",
    "http://[::1]:1/x",
  ])("takes %s", (written) =>
    expect(readEndpoint(written)).toEqual({ ok: true, value: new URL(written).href }),
  );
  test.each([
    ["http://partner.example/bundle.json", "anything but https"],
    ["http://127.0.0.1.partner.example/", "anything but https"],
    ["ftp://partner.example/x", "anything but https"],
    ["data:application/json,{}", "anything but https"],
    ["https://user@partner.example/x", "without user"],
    ["https://user:secret@partner.example/x", "without user"],
    ["https://partner.example/x#y", "without fragment"],
    ["partner.example", "an address such as"],
    [`https://partner.example/${"a".repeat(2_048)}`, "an address such as"],
  ])("refuses %s", (written, why) => {
    const read = readEndpoint(written);
    expect(read).toEqual({ ok: false, reason: expect.stringContaining(why) });
    expect(JSON.stringify(read)).not.toContain("secret");
  });
});

describe("fetchBundle()", () => {
  test("asks without credentials and without following anybody, and answers the text", async () => {
    const { found, asked } = await answered(() => new Response("{}"));
    expect(found).toEqual({ ok: true, value: "{}" });
    const [to, init] = asked[0] ?? [];
    expect(to).toBe(url);
    expect(init).toMatchObject({ redirect: "manual", cache: "no-store" });
    expect(Object.keys(init?.headers ?? {})).toEqual(["accept", "user-agent"]);
  });

  test.each<[string, () => Response | Promise<Response>, RegExp]>([
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example/" } }),
      /redirect \(302\), and those are not followed/,
    ],
    ["an error", () => new Response("secret", { status: 500 }), /status 500$/],
    ["nothing", () => new Response(null), /answers nothing/],
    ["no success", () => new Response(null, { status: 204 }), /status 204/],
    ["more than a bundle can be", () => new Response("x".repeat(262_145)), /larger than 262144 bytes/],
    ["no text", () => new Response(new Uint8Array([0xff, 0xfe, 0xfd])), /cannot be read/],
    [
      "by silence",
      () => Promise.reject(new DOMException("after 10 s", "TimeoutError")),
      /cannot be reached \(TimeoutError\)/,
    ],
  ])("tells of %s, with nothing of the answer", async (_, response, why) => {
    const { found } = await answered(response);
    expect(found).toEqual({ ok: false, reason: expect.stringMatching(why) });
    expect(JSON.stringify(found)).not.toMatch(/secret|evil/);
  });

  test("reads no further than it has to of an answer without end", async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const { found } = await answered(() => new Response(endless));
    expect(found.ok).toBe(false);
    expect(sent).toBeLessThan(1_000_000);
  });
});

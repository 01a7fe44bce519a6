import type { TwoCalls } from "./two-calls-words.ts";

let isolate: string | undefined;

/** Calls `left`, waits for `pause` where the path says so, and then calls `right`. */
export default {
  async fetch(request) {
    isolate ??= crypto.randomUUID();
    const left = await answerOf("http://left/");
    if (new URL(request.url).pathname === "/pause") await answerOf("http://pause/");
    return Response.json({ left, right: await answerOf("http://right/"), isolate } satisfies TwoCalls);
  },
} satisfies ExportedHandler;

async function answerOf(url: string): Promise<string> {
  const response = await fetch(url);
  return response.ok ? response.text() : `${response.status}`;
}

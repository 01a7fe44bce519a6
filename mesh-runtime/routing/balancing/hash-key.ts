import type { HeaderFields } from "../../foundation/fields.ts";
import { cookieValues } from "../cookies.ts";
import type { HashOn } from "../words.ts";
import { hashOf } from "./hash.ts";

interface Asking {
  readonly url: URL;
  readonly headers: Pick<HeaderFields, "get">;
}

/** The hash of what requests are kept together by; undefined where a request does not say it. */
export function hashKeyOf({ url, headers }: Asking, on: HashOn): number | undefined {
  const text = textOf(on, url, headers);
  return text === undefined || text === "" ? undefined : hashOf(text);
}

function textOf(on: HashOn, url: URL, headers: Asking["headers"]): string | undefined {
  switch (on.type) {
    case "header":
      return headers.get(on.name) ?? undefined;
    case "cookie":
      return cookieValues(headers.get("cookie"), on.name)[0];
    case "query":
      return url.searchParams.get(on.name) ?? undefined;
    case "sourceAddress":
      // Who came in at the gateway, which lets no client say it. A worker sees no connections, so a header is all there is.
      return (
        headers.get("x-forwarded-for")?.split(",")[0]?.trim() ?? headers.get("cf-connecting-ip") ?? undefined
      );
  }
}

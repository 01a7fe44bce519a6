import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { readUpTo } from "@tulle/mesh-runtime/identity/body.ts";

/** How long an endpoint may take, milliseconds. */
const fetchMs = 10_000;
/** The largest answer that is read, bytes: a bundle of sixty keys takes about 15 KB. */
const maxBundleBytes = 262_144;
const local: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Reads the address of a bundle endpoint (SPIFFE Federation §5.2.1): `https`, no user in it; `http` to this machine
 * only, for trying things out. What is required of one, otherwise.
 */
export function readEndpoint(written: string): Result<string, string> {
  const what = "an address such as https://partner.example/bundle.json";
  if (written.length > 2_048 || !URL.canParse(written)) return no(what);
  const url = new URL(written);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && local.has(url.hostname)))
    return no(`${what}: whoever stands on the way could put his own keys into anything but https`);
  if (url.username !== "" || url.password !== "") return no(`${what}, without user and password`);
  return url.hash === "" ? ok(url.href) : no(`${what}, without fragment`);
}

/**
 * Fetches what an endpoint serves, by the profile `https_web`: the platform verifies who answers by the Web PKI.
 * Redirects are not followed: the operator wrote down whom to believe, and nobody else may say where that is.
 * @returns the text, or what went wrong, with nothing of what was answered
 */
export async function fetchBundle(url: string): Promise<Result<string, string>> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { accept: "application/json", "user-agent": "tulle" },
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(fetchMs),
    });
  } catch (error) {
    return no(`it cannot be reached (${nameOf(error)})`);
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    return no(
      response.status >= 300 && response.status < 400
        ? `it answers with a redirect (${response.status}), and those are not followed; write the address that it leads to`
        : `it answers with status ${response.status}`,
    );
  }
  if (response.body === null) return no("it answers nothing");
  try {
    const head = await readUpTo(response.body, maxBundleBytes);
    if (head.whole) return ok(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(head.bytes));
    // The rest is of no interest; whether the sender takes note is its affair.
    head.rest.cancel().catch(() => undefined);
    return no(`its answer is larger than ${maxBundleBytes} bytes`);
  } catch (error) {
    return no(`its answer cannot be read (${nameOf(error)})`);
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

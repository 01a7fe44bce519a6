import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** Where `npm start` serves control. */
export const defaultUrl = "http://127.0.0.1:8788";

/** Tokens above this are no tokens, bytes. */
const maxTokenBytes = 4_096;
const maxTimeoutMs = 3_600_000;

/** The options that every command takes, as commander hands them over. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly timeout?: string;
}

/** Where control is, and how to speak to it. */
export interface Connection {
  /** Without a trailing slash. */
  readonly url: string;
  /** Never printed. */
  readonly token: string | undefined;
  /** Where the token came from, for messages: `TULLE_TOKEN`, `--token`, a file's path; empty without one. */
  readonly tokenFrom: string;
  /** Whether the token was found in `.tulle/token`, not given. */
  readonly tokenFound: boolean;
  readonly timeoutMs: number;
}

/** What of the surroundings decides: handed in, so that a test needs no other machine. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

/**
 * Decides where control is and which token to show it.
 * The token of a local demo (`.tulle/token`, looked for upwards from the working directory) goes to
 * loopback addresses only, so that no checked-out directory can make this machine's token leave it;
 * and no token goes over plain http to another machine.
 * @throws Failure (usage) when an option cannot be understood
 */
export function connectionFrom(options: ConnectionOptions, surroundings: Surroundings): Connection {
  const { env } = surroundings;
  const url = parseUrl(options.url || env.TULLE_URL || defaultUrl);
  const timeoutMs = parseTimeout(options.timeout ?? "10s");
  const given = givenToken(options, env);
  const [token, tokenFrom] = given ?? (isLoopback(url) ? findToken(surroundings.directory) : [undefined, ""]);
  if (token !== undefined && url.protocol === "http:" && !isLoopback(url))
    throw new Failure(
      exit.usage,
      `Will not send the operator token to ${origin(url)}: it would cross the network unencrypted.`,
      "Use an https:// address, or a tunnel that ends on this machine.",
    );
  return {
    url: origin(url),
    token,
    tokenFrom,
    tokenFound: given === undefined && token !== undefined,
    timeoutMs,
  };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The text is not repeated: it may hold a password.
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username ||
    url.password ||
    url.search ||
    url.hash
  )
    throw new Failure(
      exit.usage,
      "The address of control must be an http or https URL without user, query and fragment.",
      `For example --url ${defaultUrl}. It came from ${"--url or TULLE_URL"}.`,
    );
  return url;
}

const origin = (url: URL): string => (url.origin + url.pathname).replace(/\/$/, "");

/** Whether requests to this URL stay on this machine. URL parsing has made one form of each address. */
function isLoopback(url: URL): boolean {
  return (
    url.hostname === "localhost" || url.hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(url.hostname)
  );
}

function parseTimeout(text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value > 0 && parsed.value <= maxTimeoutMs) return parsed.value;
  throw new Failure(
    exit.usage,
    `--timeout wants ${parsed.ok ? "more than 0s and at most 1h" : parsed.reason}, not "${text}".`,
  );
}

type Found = readonly [token: string | undefined, from: string];

function givenToken(options: ConnectionOptions, env: Surroundings["env"]): Found | undefined {
  if (options.token !== undefined) return [checked(options.token, "--token"), "--token"];
  if (options.tokenFile !== undefined) return [readToken(options.tokenFile), options.tokenFile];
  return env.TULLE_TOKEN ? [checked(env.TULLE_TOKEN, "TULLE_TOKEN"), "TULLE_TOKEN"] : undefined;
}

/** From the working directory upwards: the nearest mesh on this machine. */
function findToken(directory: string): Found {
  const path = join(directory, ".tulle", "token");
  const token = readToken(path, "optional");
  if (token !== undefined) return [token, path];
  const above = dirname(directory);
  return above === directory ? [undefined, ""] : findToken(above);
}

function readToken(path: string): string;
function readToken(path: string, presence: "optional"): string | undefined;
function readToken(path: string, presence?: "optional"): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    if (presence === "optional" && /^(?:ENOENT|ENOTDIR)$/.test(code)) return undefined;
    throw new Failure(exit.usage, `Cannot read the token from ${path} (${code}).`);
  }
  return checked(text, path);
}

/** Header values throw with their whole text when they are malformed; a token must not reach such a message. */
function checked(text: string, from: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= maxTokenBytes) return token;
  throw new Failure(
    exit.usage,
    `The token from ${from} is not one: it must be up to ${maxTokenBytes} visible ASCII characters without spaces.`,
  );
}

import type { Connection } from "./connection.ts";
import { type ExitCode, exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** Answers above this are not read, bytes. A mesh of 10,000 documents stays well below. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** One request to the admin API. */
export interface Request {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** What tells this answer from any other JSON: a list, or an object with this member. */
  readonly expects: string;
}

/**
 * Sends one request and answers with what control said.
 * A 422 that has the expected form is an answer: it carries the issues. Redirects are not followed, so
 * that the token goes nowhere but where it was meant for.
 * @throws Failure with the exit code of {@link exit}; its message never holds the token
 */
export async function send<Answer>(connection: Connection, request: Request): Promise<Answer> {
  const { status, type, text } = await exchange(connection, request);
  const answer = /[/+]json\b/i.test(type) ? parse(text) : undefined;
  const expected = hasForm(answer, request.expects);
  if (expected && ((status >= 200 && status < 300) || status === 422)) return answer as Answer;
  throw refusal(connection, status, type, answer);
}

async function exchange(
  connection: Connection,
  request: Request,
): Promise<{ status: number; type: string; text: string }> {
  const headers = new Headers({
    accept: "application/json, application/problem+json",
    "user-agent": "tulle-cli",
  });
  if (connection.token !== undefined) headers.set("authorization", `Bearer ${connection.token}`);
  if (request.body !== undefined) headers.set("content-type", "application/json");
  try {
    const response = await fetch(connection.url + request.path, {
      method: request.method ?? "GET",
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(connection.timeoutMs),
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    return {
      status: response.status,
      type: response.headers.get("content-type") ?? "",
      text: await readAll(response, connection),
    };
  } catch (error) {
    throw error instanceof Failure ? error : unreached(connection, error);
  }
}

async function readAll(response: Response, { url }: Connection): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxAnswerBytes)
      throw new Failure(exit.unreachable, `What answers at ${url} sent more than ${maxAnswerBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Nothing was answered: the address that was tried, why not, and what to do. */
function unreached({ url, timeoutMs }: Connection, error: unknown): Failure {
  if (error instanceof Error && error.name === "TimeoutError")
    return new Failure(
      exit.unreachable,
      `Control at ${url} did not answer within ${timeoutMs} ms.`,
      "Is it under load, or is something else listening there? A longer --timeout may help.",
    );
  return new Failure(
    exit.unreachable,
    `Cannot reach control at ${url}: ${reason(error)}.`,
    "Start the demo mesh with `npm start`, or say where control is: --url, or TULLE_URL.",
  );
}

/** `fetch` says "fetch failed" and hides the reason in its cause. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nothing listens there",
    ENOTFOUND: "the name cannot be resolved",
    EAI_AGAIN: "the name cannot be resolved now",
    ECONNRESET: "the connection was closed",
    UND_ERR_SOCKET: "the connection was closed",
  };
  const words = known[code] ?? (cause instanceof Error ? cause.message : "unknown reason");
  return code === "" ? words : `${words} (${code})`;
}

/** Control, or somebody else, answered with something other than what was asked for. */
function refusal(connection: Connection, status: number, type: string, answer: unknown): Failure {
  const problem = withoutToken(problemIn(answer), connection);
  const fail = (code: ExitCode, message: string, remedy = "") => new Failure(code, message, remedy, status);
  if (problem === undefined)
    return fail(
      exit.unreachable,
      `What answers at ${connection.url} does not speak Tulle's API: status ${status}, ${type || "no content type"}.`,
      "Say where control is: --url, or TULLE_URL.",
    );
  switch (status) {
    case 401:
      return fail(exit.forbidden, ...unaccepted(connection, problem));
    case 403:
      return fail(
        exit.forbidden,
        `Your token does not allow this: ${problem}`,
        "Ask an admin of the mesh for a token with that role (tulle token create).",
      );
    case 404:
      return fail(exit.wrong, problem);
    case 409:
      if (!isRevisionConflict(answer)) return fail(exit.refused, problem);
      return fail(
        exit.refused,
        `Somebody else was first: ${problem}`,
        "See what changed with `tulle history`, then try again with the present --expected-revision.",
      );
    default:
      return status >= 500 || status === 429
        ? fail(
            exit.unreachable,
            `Control at ${connection.url} failed (${status}): ${problem}`,
            "Try again; `tulle check` tells more.",
          )
        : fail(exit.refused, `Control refused this (${status}): ${problem}`);
  }
}

function unaccepted(
  { tokenFrom, tokenFound, url }: Connection,
  problem: string,
): [message: string, remedy: string] {
  if (tokenFrom === "")
    return [
      `Control at ${url} wants an operator token, and none was given.`,
      "Set TULLE_TOKEN or --token-file. A mesh on this machine writes .tulle/token in its directory: run tulle there.",
    ];
  return [
    `Control does not accept the token from ${tokenFrom}: ${problem}`,
    tokenFound
      ? "The file is written anew whenever the mesh starts: run `npm start` again, or look for another .tulle/token."
      : "It may have expired, been revoked, or belong to another mesh. Ask whoever runs the mesh for a new one.",
  ];
}

/** Title and detail of RFC 9457 problem details; undefined when it is none. */
function problemIn(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("title" in answer)) return undefined;
  const title = String(answer.title);
  const detail = "detail" in answer && answer.detail !== undefined ? String(answer.detail) : "";
  return detail === "" ? `${title}.` : `${title}. ${detail}`;
}

/** Whether this 409 means policy, where looking at it and trying again helps; of others control says what to do. */
function isRevisionConflict(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("type" in answer)) return true;
  return !/\/problems\/(?!revision-conflict$)/.test(String(answer.type));
}

/** Control does not repeat tokens; a stranger at its address might. */
function withoutToken(text: string | undefined, { token }: Connection): string | undefined {
  return token === undefined ? text : text?.replaceAll(token, "(the token)");
}

function hasForm(answer: unknown, expects: string): boolean {
  if (expects === "list") return Array.isArray(answer);
  return typeof answer === "object" && answer !== null && expects in answer;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON although it says so: told apart from every expected form by the caller.
    return undefined;
  }
}

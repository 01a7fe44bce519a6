import { distribution, tableIn } from "./distribution.ts";
import { once, wayOf } from "./exchange.ts";
import { Failure, repeatedly } from "./failure.ts";
import type { Step } from "./format.ts";
import type { Running } from "./running.ts";
import { exchangedFrames, type Frame } from "./web-socket.ts";

const defaultRequests = 100;
const atOnce = 10;

/** What is true of each of many requests, in words. @throws Failure also for words that the runner does not know */
export async function invariant(run: Running, step: Step): Promise<void> {
  const rule = step.expect?.rule ?? "";
  const header = /exactly one ["'“]?([\w-]+)["'”]? header and its value is the name of the backend/i.exec(
    rule,
  )?.[1];
  if (header !== undefined) return headerNamesBackend(run, step, header);
  if (/weight|distribut|share|split|%/i.test(rule) || tableIn(step.expect ?? {}) !== undefined)
    return distribution(run, step);
  throw new Failure(`the runner does not know the invariant "${rule}"`);
}

/** Filters of a backend run for the backend that gets the request, and for no other. */
async function headerNamesBackend(run: Running, step: Step, header: string): Promise<void> {
  await repeatedly(step.expect?.requests ?? defaultRequests, atOnce, async () => {
    const { echo } = await once(run, step);
    const values = Object.entries(echo.headers)
      .filter(([name]) => name.toLowerCase() === header.toLowerCase())
      .flatMap(([, all]) => all.flatMap((value) => value.split(/\s*,\s*/)));
    const [value = ""] = values;
    if (values.length !== 1 || !echo.pod.startsWith(value))
      throw new Failure(
        `backendRequest.headers.${header}: expected the backend of ${echo.pod}, found ${values.join(", ") || "none"}`,
      );
  });
}

/**
 * A client that keeps what the first answer gives it (a cookie, or the header that the step names) stays at the
 * backend that gave it.
 */
export async function session(run: Running, step: Step): Promise<void> {
  const first = await once(run, step);
  const { header } = step.expect ?? {};
  const name = typeof header === "string" ? header : "Cookie";
  const given = first.headers[typeof header === "string" ? header.toLowerCase() : "set-cookie"];
  if (given === undefined) throw new Failure(`session: expected a ${name} to keep, found none`);
  const value = typeof header === "string" ? given : (given.split(";")[0] ?? "");
  const kept = {
    ...step,
    request: { ...step.request, headers: { ...step.request?.headers, [name]: value } },
  };
  await repeatedly(step.expect?.requests ?? defaultRequests, atOnce, async () => {
    const { echo } = await once(run, kept);
    if (echo.pod !== first.echo.pod)
      throw new Failure(`session: expected ${first.echo.pod} each time, found ${echo.pod}`);
  });
}

/** A text frame and a binary one come back as they were sent. */
export async function webSocket(run: Running, step: Step): Promise<void> {
  const { order, headers } = await wayOf(run, step);
  const frames: readonly Frame[] = [
    { opcode: "text", data: Buffer.from("a text with ü") },
    { opcode: "binary", data: Buffer.from([0, 1, 2, 253, 254, 255]) },
  ];
  run.requests++;
  const back = await exchangedFrames(run.mesh.wire.port, order, headers, frames);
  for (const [index, { opcode, data }] of frames.entries()) {
    const found = back[index];
    if (found?.opcode !== opcode || !found.data.equals(data))
      throw new Failure(
        `frame ${index + 1}: expected ${opcode} ${data.toString("hex")}, found ${found?.opcode} ${found?.data.toString("hex")}`,
      );
  }
}

import * as v from "valibot";
import type { DocumentOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { listener } from "../schema/gateway.ts";
import { gatewayVersions, workerAnnotation } from "../schema/metadata.ts";
import { indexAfter, listOf, objectOf, readValue } from "./values.ts";
import type { RefusedListener, RefusedListeners, Unreadable } from "./words.ts";

type Gateway = DocumentOf<"Gateway">;

/** What is left of a Gateway. */
export interface LeftOfGateway {
  readonly document: Gateway;
  readonly gateway: RefusedListeners;
}

interface LeftListener {
  readonly index: number;
  readonly written: unknown;
  /** Takes no route. */
  readonly isClosed: boolean;
}

const listenersPath = "spec.listeners";

/**
 * What is left of a Gateway that is refused: the listeners that can be served. Of the others each whose host and port
 * can be read keeps them and takes no route, so that what was meant for it falls to no wider listener; one of a
 * protocol that reaches no worker is gone. Where something else is wrong, no listener takes routes.
 */
export function leftOfGateway(unreadable: Unreadable): LeftOfGateway {
  const { value, issues, namespace, name } = unreadable;
  const written = listOf(objectOf(objectOf(value).spec).listeners);
  const whole = issues.find(
    ({ path }) => (indexAfter(path, listenersPath) ?? written.length) >= written.length,
  );
  const wrong = wrongListeners(issues, written);
  if (whole !== undefined) for (const index of written.keys()) if (!wrong.has(index)) wrong.set(index, whole);
  const worker = workerOf(value);
  const metadata = {
    namespace,
    name,
    ...(worker === undefined ? {} : { annotations: { [workerAnnotation]: worker } }),
  };
  let left = written.flatMap((one, index): LeftListener[] => {
    if (!wrong.has(index)) return [{ index, written: one, isClosed: false }];
    const closed = hasReadableWorker(value) ? closedListener(one) : undefined;
    return closed === undefined ? [] : [{ index, written: closed, isClosed: true }];
  });
  let document = read(metadata, left);
  while (document.listeners === undefined && left.length > 0) {
    // What stands between listeners, such as a name that two of them have, is seen once each is right by itself.
    const more = wrongListeners(document.issues, left);
    for (const [at, issue] of more) {
      const index = left[at]?.index;
      if (index !== undefined && !wrong.has(index)) wrong.set(index, issue);
    }
    left = more.size === 0 ? [] : left.filter((_, at) => !more.has(at));
    document = read(metadata, left);
  }
  const kept = new Set(left.map(({ index }) => index));
  return {
    document: {
      ...document.gateway,
      spec: { ...document.gateway.spec, listeners: document.listeners ?? [] },
    },
    gateway: {
      ...(whole === undefined ? {} : { whole: whole.message }),
      listeners: [...wrong]
        .sort(([a], [b]) => a - b)
        .map(([index, issue]) => refusedListener(written[index], index, issue, kept.has(index))),
    },
  };
}

function wrongListeners(issues: readonly Issue[], list: readonly unknown[]): Map<number, Issue> {
  const wrong = new Map<number, Issue>();
  for (const issue of issues) {
    const index = indexAfter(issue.path, listenersPath);
    if (index !== undefined && index < list.length && !wrong.has(index)) wrong.set(index, issue);
  }
  return wrong;
}

function refusedListener(written: unknown, index: number, issue: Issue, isKept: boolean): RefusedListener {
  const { name } = objectOf(written);
  const isOfProtocol = issue.path === `${listenersPath}[${index}].protocol`;
  return {
    index,
    name: typeof name === "string" ? name.slice(0, 253) : `${listenersPath}[${index}]`,
    reason: isOfProtocol ? "UnsupportedProtocol" : "UnsupportedValue",
    message: issue.message,
    isKept,
  };
}

/** A listener's host and port alone. */
function closedListener(written: unknown): unknown {
  const { name, port, protocol, hostname } = objectOf(written);
  const closed = {
    name,
    port,
    protocol,
    ...(hostname === undefined || hostname === null ? {} : { hostname }),
  };
  return v.safeParse(listener, closed).success ? closed : undefined;
}

/** The annotation that names the worker. Whose worker cannot be read must not take the hosts of another one. */
function workerOf(value: unknown): string | undefined {
  const worker = objectOf(objectOf(objectOf(value).metadata).annotations)[workerAnnotation];
  return typeof worker === "string" ? worker : undefined;
}

function hasReadableWorker(value: unknown): boolean {
  const { annotations } = objectOf(objectOf(value).metadata);
  if (annotations === undefined || annotations === null) return true;
  const written = objectOf(annotations);
  return (
    written === annotations && [undefined, workerOf(value)].includes(written[workerAnnotation] as string)
  );
}

/** A Gateway has at least one listener, so this one stands there while the rest is read. */
const somewhere = { name: "none", port: 1, protocol: "HTTP" };

function read(
  metadata: object,
  left: readonly LeftListener[],
): {
  readonly gateway: Gateway;
  readonly listeners?: Gateway["spec"]["listeners"];
  readonly issues: readonly Issue[];
} {
  const document = (listeners: readonly unknown[], its = metadata) =>
    readValue({
      apiVersion: gatewayVersions[0],
      kind: "Gateway",
      metadata: its,
      spec: { gatewayClassName: "tulle", listeners },
    });
  const { written, issues } = document(left.map((one) => one.written));
  const gateway = written[0]?.document;
  if (gateway?.kind === "Gateway") {
    const listeners = gateway.spec.listeners.map((one, at) =>
      left[at]?.isClosed === true
        ? { ...one, allowedRoutes: { namespaces: { from: "None" as const } } }
        : one,
    );
    return { gateway, listeners, issues };
  }
  const spare = document([somewhere]).written[0]?.document;
  if (spare?.kind !== "Gateway")
    throw new TypeError(`Cannot stand in for a Gateway: ${JSON.stringify(metadata)}`);
  return { gateway: spare, issues };
}

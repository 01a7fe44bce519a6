import { largestBody } from "../../identity/body-room.ts";
import type { DocumentOf } from "../documents.ts";
import { isPort, meshVersions } from "../schema/metadata.ts";
import { indexAfter, listOf, objectOf, readValue } from "./values.ts";
import type { RefusedService, Unreadable } from "./words.ts";

type Service = DocumentOf<"Service">;

/** What is left of a Service, and what that means. */
export interface LeftOfService {
  readonly document: Service;
  readonly service: RefusedService;
  readonly meanwhile: string;
}

/** What stands for a member that cannot be read: what lets in least, or nothing where its default harms nobody. */
const standIns: Readonly<Record<string, unknown>> = {
  mode: "STRICT",
  evidence: "signature",
  replay: "strict",
  sessionProofs: "refused",
  largeBody: "reject",
  timeout: undefined,
  maxInFlight: undefined,
  maxDigestBytes: largestBody,
};

/** `appProtocol`s (KEP-3726) that a worker speaks anyway. */
const spoken: readonly unknown[] = [
  "http",
  "https",
  "HTTP",
  "HTTPS",
  "kubernetes.io/ws",
  "kubernetes.io/wss",
];

/**
 * What is left of a Service that is refused. A port that speaks what a worker cannot is no backend; a member whose
 * default, or strictest value, harms nobody has that. Where anything else is wrong, such as who it is or where, it is
 * closed: it stays a Service of the mesh, which nobody reaches and nobody may call.
 */
export function leftOfService(unreadable: Unreadable): LeftOfService {
  const value = objectOf(unreadable.value);
  const spec = objectOf(value.spec);
  const ports = new Map<number, string>();
  const members = new Set<string>();
  let isReadable = true;
  for (const { path, message } of unreadable.issues) {
    const [, member = ""] = /^spec\.([A-Za-z]+)/.exec(path) ?? [];
    const index = indexAfter(path, "spec.ports");
    const port = index === undefined ? undefined : objectOf(listOf(spec.ports)[index]);
    if (port !== undefined && isPort(port.port)) {
      if (!isSpoken(path, port)) ports.set(Number(port.port), message);
    } else if (Object.hasOwn(standIns, member)) members.add(member);
    else isReadable = false;
  }
  const document = isReadable ? mended(value, spec, members) : undefined;
  if (document === undefined) return closedService(unreadable, spec);
  return { document, service: { isClosed: false, ports }, meanwhile: meanwhileOf(members, ports) };
}

const isSpoken = (path: string, { appProtocol }: Readonly<Record<string, unknown>>): boolean =>
  path.endsWith(".appProtocol") && spoken.includes(appProtocol);

function mended(
  value: Readonly<Record<string, unknown>>,
  spec: Readonly<Record<string, unknown>>,
  members: ReadonlySet<string>,
): Service | undefined {
  const kept = Object.entries(spec).flatMap(([name, given]): [string, unknown][] => {
    if (name === "ports") return [[name, portsOf(given)]];
    if (!members.has(name)) return [[name, given]];
    return standIns[name] === undefined ? [] : [[name, standIns[name]]];
  });
  return read({ ...value, spec: Object.fromEntries(kept) });
}

/** Ports with what the mesh reads of them: number and name. */
const portsOf = (written: unknown): readonly unknown[] =>
  listOf(written).map((one) => {
    const { name, port } = objectOf(one);
    return { ...(typeof name === "string" ? { name } : {}), port };
  });

function meanwhileOf(members: ReadonlySet<string>, ports: ReadonlyMap<number, string>): string {
  const said = [...members].map((name) =>
    standIns[name] === undefined ? `${name} has its default` : `${name} is ${String(standIns[name])}`,
  );
  if (ports.size > 0) said.push(`requests to its port ${[...ports.keys()].join(", ")} are answered with 500`);
  const sentence = said.join(", ");
  return sentence === ""
    ? "It holds as it is otherwise."
    : `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}; the rest holds.`;
}

function closedService(
  { namespace, name, value }: Unreadable,
  spec: Readonly<Record<string, unknown>>,
): LeftOfService {
  const base = { apiVersion: meshVersions[0], kind: "Service", metadata: { namespace, name } };
  const closed = { mode: "STRICT", evidence: "signature", largeBody: "reject" };
  // As much of it as callers know it by: what they do not know leaves the mesh as it is.
  const known: readonly { readonly identity?: unknown; readonly binding?: unknown }[] = [
    { identity: spec.identity, binding: spec.binding ?? objectOf(spec.endpoint).binding },
    { identity: spec.identity },
    {},
  ];
  for (const some of known) {
    const members = Object.entries(some).filter(([, given]) => given !== undefined);
    const document = read({ ...base, spec: { ...closed, ...Object.fromEntries(members) } });
    if (document === undefined) continue;
    // Who it is stands there as it was written, or is the default because nothing else was.
    const isNamed =
      spec === objectOf(value).spec && spec.trustDomain === undefined && some.identity === spec.identity;
    const what = isNamed ? "and nobody may call it" : "nobody may call it, and nobody is given its identity";
    return {
      document,
      service: { isClosed: true, ...(isNamed ? {} : { isNameless: true as const }), ports: new Map() },
      meanwhile: `Nobody reaches it, ${what}.`,
    };
  }
  throw new TypeError(`Cannot stand in for Service/${namespace}/${name}`);
}

function read(value: unknown): Service | undefined {
  const document = readValue(value).written[0]?.document;
  return document?.kind === "Service" ? document : undefined;
}

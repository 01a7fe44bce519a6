import { didYouMean } from "@tulle/mesh-runtime/policy/nearest.ts";
import type { ListenerView } from "../policy-store/shelf.ts";
import { missing } from "./problems.ts";

/** A gateway that has listeners, and one of them if one was named. */
export interface NamedGateway {
  /** `namespace/name`. */
  readonly gateway: string;
  readonly listener?: string;
}

/**
 * Reads what operators write: `gateway` (in namespace `default`) or `namespace/gateway`, each with `/listener` if
 * need be. What can be read in two ways means what exists, the gateway first.
 */
export function gatewayNamed(text: string, all: readonly ListenerView[]): NamedGateway | undefined {
  const parts = text.split("/");
  const readings: readonly (readonly string[])[] = [parts, ["default", ...parts]];
  for (const [namespace, name, listener, ...rest] of readings) {
    if (namespace === undefined || name === undefined || rest.length > 0) continue;
    const gateway = `${namespace}/${name}`;
    const start = listener === undefined ? `${gateway}/` : `${gateway}/${listener}/`;
    if (all.some((each) => `${each.listener.name}/`.startsWith(start)))
      return { gateway, ...(listener === undefined ? {} : { listener }) };
  }
  return undefined;
}

/** The problem of a gateway that does not exist, or that no worker implements. */
export function noSuchGateway(text: string, all: readonly ListenerView[]): Response {
  const names = all.flatMap(({ listener: { name } }) => {
    const [namespace = "", gateway = "", listener = ""] = name.split("/");
    const short = namespace === "default" ? [gateway, `${gateway}/${listener}`] : [];
    return [...short, `${namespace}/${gateway}`, name];
  });
  return missing(
    `No worker implements a gateway or listener ${text}${didYouMean(text, new Set(names)) || "."}`,
  );
}

import { isWorkloadName } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** `namespace/name`, both DNS labels (RFC 1123): no two spellings of one service, nothing that needs escaping. */
export const serviceKeyForm = new RegExp(`^${label}/${label}$`);

/** Longest ServiceKey: two labels of 63 and the slash. */
export const serviceKeyLength = 127;

/** Whether a text is a ServiceKey. */
export const isServiceKey = (text: string): text is ServiceKey =>
  text.length <= serviceKeyLength && serviceKeyForm.test(text);

/** Reads what operators write: `name` (in namespace `default`) or `namespace/name`; `undefined` for anything else. */
export function parseService(text: string): ServiceKey | undefined {
  const key = text.includes("/") ? text : `default/${text}`;
  return isServiceKey(key) ? key : undefined;
}

/** Reads the props of a service binding, which the platform guarantees; `undefined` if they name no service. */
export function serviceOfProps(props: {
  readonly service?: unknown;
  readonly namespace?: unknown;
}): ServiceKey | undefined {
  // Own members only: a prototype is nobody's statement.
  const service = Object.hasOwn(props, "service") ? props.service : undefined;
  const namespace = Object.hasOwn(props, "namespace") ? props.namespace : "default";
  if (typeof service !== "string" || typeof namespace !== "string") return undefined;
  return isWorkloadName(service) && isWorkloadName(namespace) ? `${namespace}/${service}` : undefined;
}

import { no, ok, type Result } from "../foundation/result.ts";
import {
  type CommonParameters,
  commonParameters,
  isFieldName,
  ourMember,
  partsOf,
  readParameters,
} from "./signature-input.ts";
import { maxComponents } from "./wimse-profile.ts";

/** What a `Signature-Input` of an answer says about the one signature with our tag. */
export interface AnswerInput extends Omit<CommonParameters, "last"> {
  readonly label: string;
  /** Covered components as they stand in the list, each with its quotes and `;req`. */
  readonly components: readonly string[];
  /** The inner list with its parameters: the last line of the signature base. */
  readonly parameters: string;
  /** `wimse-req-nonce`: the nonce of the request that this answers. */
  readonly requestNonce: string;
}

/**
 * What every answer's signature covers: its status, and which request it answers (http-signature §3), the token of who
 * asked among that. A nonce is unique to its sender, and the sender chooses it: somebody else who is known could ask
 * the same with the nonce of a request that he holds back, and hand on the answer that was made for him.
 */
export const answerComponents = [
  '"@status"',
  '"@method";req',
  '"@request-target";req',
  '"workload-identity-token";req',
] as const;

const required = ["created", "expires", "nonce", "tag", "wimse-req-nonce"] as const;
const allowed: ReadonlySet<string> = new Set(required);

/** Reads a `Signature-Input` of an answer, as strictly as that of a request is read. */
export function parseAnswerInput(header: string): Result<AnswerInput, string> {
  const member = ourMember(header);
  if (!member.ok) return member;
  const parts = partsOf(member.value);
  if (!parts.ok) return parts;
  const { label, list, listEnd, parameters } = parts.value;
  const components = list.split(" ");
  if (components.length > maxComponents) return no(`there are more than ${maxComponents} components`);
  for (const component of components) {
    if (!isComponent(component)) return no("a component is none that an answer has");
    if (components.indexOf(component) !== components.lastIndexOf(component))
      return no("a component is listed twice");
  }
  const given = readParameters(member.value, listEnd + 1, allowed);
  if (!given.ok) return given;
  const common = commonParameters(given.value, required);
  if (!common.ok) return common;
  const { last: requestNonce, created, expires, nonce } = common.value;
  return ok({ label, components, parameters, requestNonce, created, expires, nonce });
}

const isComponent = (component: string): boolean =>
  (answerComponents as readonly string[]).includes(component) ||
  (component.startsWith('"') && component.endsWith('"') && isFieldName(component.slice(1, -1)));

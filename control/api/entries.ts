import { parseSpiffeId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import {
  attestors,
  entryTtl,
  maxNoteLength,
  type RegistrationEntry,
  readSelectors,
} from "../issuer/registration.ts";
import { maxEntries } from "../issuer/registrations.ts";
import { issuer, policyStore } from "../objects.ts";
import { nameless } from "../policy-store/shelf.ts";
import { parseService } from "../service-key.ts";
import { list, object, oneOf, optional, text, whole } from "../shape.ts";
import type { EntriesAnswer, EntryLine, EntryRequest } from "./contract.ts";
import { type ApiContext, bodyOf, type Handlers, recordFirst } from "./handler.ts";
import { publishSoon } from "./policies.ts";
import { malformed, missing, problem } from "./problems.ts";

const entryShape = object<EntryRequest>({
  service: optional(text(127)),
  spiffeId: optional(text(2_048)),
  attestor: oneOf(...attestors),
  selectors: optional(list(text(256), 16)),
  ttlMs: optional(whole(entryTtl.minMs, entryTtl.maxMs)),
  note: optional(text(maxNoteLength)),
});
const reasonShape = object<{ readonly reason?: string }>({ reason: optional(text(1_024)) });

/** Registration entries: which evidence may become which identity. */
export const entries: Handlers<
  | "GET /api/identity/entries"
  | "POST /api/identity/entries"
  | "POST /api/identity/entries/:id/revoke"
  | "DELETE /api/identity/entries/:id"
> = {
  "GET /api/identity/entries": async (context) => {
    const answer: EntriesAnswer = { entries: (await issuer(context.env).entries()).map(lineOf) };
    return context.json(answer);
  },

  "POST /api/identity/entries": async (context) => {
    const body = await bodyOf(context, entryShape);
    if (body instanceof Response) return body;
    const spiffeId = await identityOf(context, body);
    if (spiffeId instanceof Response) return spiffeId;
    const { attestor, ttlMs, note = "" } = body;
    const selectors = readSelectors(attestor, body.selectors ?? []);
    if (!selectors.ok) return malformed(`In the body, ${selectors.reason}.`);
    const wanted = { spiffeId, attestor, selectors: selectors.value, ttlMs, note };
    await recordFirst(context, "entry.create", spiffeId, [attestor, ...selectors.value].join(" "), wanted);
    const made = await issuer(context.env).register({ ...wanted, createdBy: context.var.caller.name });
    switch (made) {
      case "taken":
        return problem(
          "entry-exists",
          "There is such an entry already",
          `${spiffeId} has an entry in force with this attestor and these selectors; tulle identity show tells which.`,
        );
      case "full":
        return problem(
          "entry-limit",
          "There are too many registration entries",
          `The limit is ${maxEntries}, those that are revoked included. Delete what is revoked.`,
        );
      default:
        return context.json(lineOf(made));
    }
  },

  "POST /api/identity/entries/:id/revoke": async (context) => {
    const body = await bodyOf(context, reasonShape);
    if (body instanceof Response) return body;
    const { reason = "" } = body;
    const id = context.req.param("id") ?? "";
    const entry = (await issuer(context.env).entries()).find((each) => each.id === id);
    if (entry === undefined) return unknown();
    await recordFirst(context, "entry.revoke", `${entry.spiffeId} ${id}`, reason, { id });
    const revoked = await issuer(context.env).revokeEntry(id, context.var.caller.name, reason);
    if (!revoked.ok)
      return problem("not-ready", "This cannot be revoked as it should be", `${revoked.reason}.`);
    if (revoked.value === undefined) return unknown();
    await publishSoon(context);
    return context.json(lineOf(revoked.value));
  },

  "DELETE /api/identity/entries/:id": async (context) => {
    const id = context.req.param("id") ?? "";
    const entry = (await issuer(context.env).entries()).find((each) => each.id === id);
    if (entry === undefined) return unknown();
    if (entry.revokedAt === undefined) return inForce();
    await recordFirst(context, "entry.delete", `${entry.spiffeId} ${id}`, "", { id });
    const forgotten = await issuer(context.env).forgetEntry(id);
    if (forgotten === "unknown") return unknown();
    return forgotten === "in force" ? inForce() : context.json(lineOf(entry));
  },
};

/** The identity that an entry is for: that of a Service, or one that is written out. */
async function identityOf(
  context: ApiContext,
  { service, spiffeId }: EntryRequest,
): Promise<string | Response> {
  if ((service === undefined) === (spiffeId === undefined))
    return malformed("Name exactly one of service and spiffeId.");
  if (spiffeId !== undefined) {
    const id = parseSpiffeId(spiffeId);
    if (!id.ok) return malformed(`spiffeId must be ${id.reason}.`);
    return id.value.trustDomain === context.env.TRUST_DOMAIN && id.value.path !== ""
      ? spiffeId
      : malformed(`spiffeId must be of a workload of the trust domain ${context.env.TRUST_DOMAIN}.`);
  }
  const key = parseService(service ?? "");
  if (key === undefined) return malformed("service must be name or namespace/name, in lower case.");
  const { services = [] } = await policyStore(context.env).view(-1);
  const known = services.find((each) => each.service === key);
  if (known === undefined)
    return missing(`No Service ${key} is registered; apply its document first, or name a SPIFFE ID.`);
  return known.spiffeId === nameless ? withoutName(key) : known.spiffeId;
}

/** The problem of a Service whose identity cannot be read. */
export const withoutName = (service: string): Response =>
  malformed(
    `Which identity ${service} has cannot be read: this version of Tulle refuses its document. tulle check says what is wrong with it.`,
  );

const unknown = (): Response => missing("There is no registration entry of this id.");

const inForce = (): Response =>
  problem(
    "entry-in-force",
    "This entry is in force",
    "Revoke it first: that ends what was issued by it. To delete it then makes control forget that it was there.",
  );

const lineOf = (entry: RegistrationEntry): EntryLine => ({
  id: entry.id,
  spiffeId: entry.spiffeId,
  attestor: entry.attestor,
  selectors: entry.selectors,
  ...(entry.ttlMs === undefined ? {} : { ttlMs: entry.ttlMs }),
  note: entry.note,
  createdAt: new Date(entry.createdAt).toISOString(),
  createdBy: entry.createdBy,
  issued: entry.issued,
  ...(entry.lastIssuedAt === undefined ? {} : { lastIssuedAt: new Date(entry.lastIssuedAt).toISOString() }),
  ...(entry.revokedAt === undefined ? {} : { revokedAt: new Date(entry.revokedAt).toISOString() }),
  ...(entry.revokedBy === undefined ? {} : { revokedBy: entry.revokedBy }),
});

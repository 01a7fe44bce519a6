import type { Env } from "../env.ts";
import { policyStore } from "../objects.ts";
import type { ChangeOutcome } from "../policy-store/words.ts";
import { flag, list, object, optional, text, whole } from "../shape.ts";
import { within } from "../within.ts";
import type { ApplyRequest, DocumentRef, UndoRequest } from "./contract.ts";
import { type ApiContext, actorOf, bodyOf, type Handlers, wholeInQuery } from "./handler.ts";
import { missing, problem } from "./problems.ts";

/** UTF-16 units; the body's limit of 2 MB holds besides. */
const maxSource = 2_097_152;
/** How long a change waits for its publication before it is answered, milliseconds. Workloads need not wait for it: they ask control. */
const publishMs = 3_000;
/** Runs of publication after one change. */
const publishRuns = 8;
const revision = whole(0, Number.MAX_SAFE_INTEGER);

const applyShape = object<ApplyRequest>({
  sources: list(
    object<{ source: string; text: string }>({ source: text(1_024), text: text(maxSource) }),
    10_000,
  ),
  dryRun: optional(flag),
  expectedRevision: optional(revision),
  reason: optional(text(1_024)),
  strict: optional(flag),
});

const undoShape = object<UndoRequest>({ revision: optional(revision), expectedRevision: optional(revision) });

/** Documents: read, change, take back. */
export const policies: Handlers<
  | "GET /api/policies"
  | "GET /api/policies/history"
  | "GET /api/policies/:kind/:namespace/:name"
  | "POST /api/policies"
  | "POST /api/policies/undo"
  | "DELETE /api/policies/:kind/:namespace/:name"
> = {
  "GET /api/policies": async (context) =>
    context.json(await policyStore(context.env).documents(queryRef(context))),

  "GET /api/policies/history": async (context) =>
    context.json(await policyStore(context.env).history(queryRef(context))),

  "GET /api/policies/:kind/:namespace/:name": async (context) => {
    const ref = pathRef(context);
    const document = await policyStore(context.env).document(ref);
    return document === undefined
      ? missing(`There is no ${ref.kind}/${ref.namespace}/${ref.name}.`)
      : context.json(document);
  },

  "POST /api/policies": async (context) => {
    const body = await bodyOf(context, applyShape);
    if (body instanceof Response) return body;
    return changed(
      context,
      await policyStore(context.env).apply(body, {
        actor: actorOf(context),
        reason: body.reason ?? "",
      }),
    );
  },

  "POST /api/policies/undo": async (context) => {
    const body = await bodyOf(context, undoShape);
    if (body instanceof Response) return body;
    return changed(context, await policyStore(context.env).undo(body, actorOf(context)));
  },

  "DELETE /api/policies/:kind/:namespace/:name": async (context) => {
    const expected = wholeInQuery(context, "expectedRevision");
    if (expected instanceof Response) return expected;
    const by = { actor: actorOf(context), reason: "" };
    return changed(context, await policyStore(context.env).remove(pathRef(context), by, expected));
  },
};

/** Publishes what was changed and answers it. A small mesh is published by then, a large one soon after. */
async function changed(context: ApiContext, outcome: ChangeOutcome): Promise<Response> {
  switch (outcome.kind) {
    case "conflict":
      return problem("revision-conflict", "Policy was changed by somebody else", outcome.detail);
    case "missing":
      return missing(outcome.detail);
    case "answer": {
      const { answer } = outcome;
      if (answer.applied) await publishSoon(context);
      const refused = answer.issues.some(({ severity }) => severity === "error");
      return context.json(answer, refused ? 422 : 200);
    }
  }
}

/** Publishes what is in force now, and waits for it a little. */
export async function publishSoon({ env, executionCtx }: ApiContext): Promise<void> {
  const published = publishAll(env);
  executionCtx.waitUntil(published);
  await within(published, publishMs);
}

/** Brings KV up to date, in as many runs as that takes. What is left over, reconcile does. */
async function publishAll(env: Env): Promise<void> {
  try {
    for (let run = 0; run < publishRuns; run += 1) {
      const { failed, due } = await policyStore(env).publish();
      if (failed > 0 || due === 0) return;
    }
  } catch (error) {
    // The change is in force; KV is behind until reconcile has caught up, which `tulle check` shows.
    console.error(
      "control: cannot publish to KV yet:",
      error instanceof Error ? error.message : "unknown reason",
    );
  }
}

const pathRef = (context: ApiContext): DocumentRef => ({
  kind: context.req.param("kind") ?? "",
  namespace: context.req.param("namespace") ?? "",
  name: context.req.param("name") ?? "",
});

function queryRef(context: ApiContext): Partial<DocumentRef> {
  const { kind, namespace, name } = context.req.query();
  return {
    ...(kind ? { kind } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  };
}

import { headLifeS } from "@tulle/mesh-runtime/policy/snapshot.ts";
import type { Env } from "../env.ts";
import { keptMs } from "../issuer/federation/federation.ts";
import { bundleLifeMs } from "../issuer/keyring.ts";
import { issuer, policyStore } from "../objects.ts";
import type { Strayed } from "../policy-store/strayed.ts";
import type { StoreState } from "../policy-store/words.ts";
import type { CheckAnswer, CheckLine, FederationLine, StatusAnswer } from "./contract.ts";
import { answerOf } from "./federation.ts";
import type { Handlers } from "./handler.ts";
import { notReadyFor } from "./root-readiness.ts";
import { statusOf } from "./status.ts";

/** What control knows about its own health. */
export const check: Handlers<"GET /api/check"> = {
  "GET /api/check": async (context) => context.json(await checkOf(context.env, Date.now())),
};

/** A secret shorter than this can be guessed, characters. */
const strongSecret = 32;
/** An operator token that ends this soon is worth a word, milliseconds. */
const expirySoonMs = 7 * 86_400_000;
/** Clocks that differ more than this make proofs fail, milliseconds. */
const clockMs = 5_000;

type Look = (env: Env, now: number) => Promise<readonly CheckLine[]>;

/** Runs every check; one that breaks is a failed line and costs nobody the others. */
export async function checkOf(env: Env, now: number): Promise<CheckAnswer> {
  const looks: readonly (readonly [string, Look])[] = [
    ["operator token", operatorToken],
    ["signing keys", signingKeys],
    ["trust bundle", freshness],
    ["federation", federations],
    ["policy store", store],
    ["documents", documents],
    ["routes", routes],
    ["KV", kv],
    ["services", services],
    ["clock", clock],
  ];
  const lines = await Promise.all(
    looks.map(async ([name, look]) => {
      try {
        return await look(env, now);
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown reason";
        return [
          failed(name, `This could not be checked: ${reason}`, "Look at the log of the control worker."),
        ];
      }
    }),
  );
  const rootKeys = await rootKeysOf(env);
  return {
    time: new Date(now).toISOString(),
    checks: lines.flat(),
    ...rootKeys,
  };
}

async function rootKeysOf(env: Env): Promise<Pick<CheckAnswer, "rootKey" | "rootKeys">> {
  try {
    const published = await issuer(env).bundle();
    if (!published.ok) return {};
    const { rootJwk, nextRootJwk } = published.value;
    return { rootKey: rootJwk, rootKeys: nextRootJwk === undefined ? [rootJwk] : [rootJwk, nextRootJwk] };
  } catch {
    // An issuer that does not answer is a failed line already.
    return {};
  }
}

const operatorToken: Look = async (env, now) => {
  const name = "operator token";
  const remedy = "Set a new one: wrangler secret put TULLE_OPERATOR_TOKEN -c control/wrangler.toml.";
  if ((env.TULLE_OPERATOR_TOKEN ?? "").length < strongSecret) {
    return [warning(name, `It has fewer than ${strongSecret} characters.`, remedy)];
  }
  const end = Date.parse(env.TULLE_OPERATOR_TOKEN_EXPIRES ?? "");
  if (end - now < expirySoonMs)
    return [warning(name, `It expires at ${new Date(end).toISOString()}.`, remedy)];
  const ending = await tokensEnding(env, now);
  if (ending.length > 0) return ending;
  return [
    fine(name, Number.isNaN(end) ? "Set, does not expire." : `Valid until ${new Date(end).toISOString()}.`),
  ];
};

/** Tokens of operators that end soon and are in use. One that nobody has used lately may end in peace. */
async function tokensEnding(env: Env, now: number): Promise<readonly CheckLine[]> {
  const tokens = await policyStore(env).tokens();
  return tokens.flatMap(({ name, expiresAt = "", lastUsedAt = "" }) => {
    const left = Date.parse(expiresAt) - now;
    const unused = now - Date.parse(lastUsedAt);
    return left > 0 && left < expirySoonMs && unused < expirySoonMs
      ? [
          warning(
            "operator token",
            `${name} is in use and expires at ${expiresAt}.`,
            "Make another one: tulle token create.",
          ),
        ]
      : [];
  });
}

const signingKeys: Look = async (env, now) => {
  const name = "signing keys";
  const published = await issuer(env).bundle();
  if (!published.ok) {
    return [
      failed(
        name,
        `Nothing can be issued: ${published.reason}.`,
        "Set the secret (at least 32 random characters): wrangler secret put TULLE_KEY_SECRET -c control/wrangler.toml. If it was changed, set the former one as TULLE_KEY_SECRET_PREVIOUS beside it: stored keys open with no other.",
      ),
    ];
  }
  const { keys, sequence, slots, nextRootKid } = published.value;
  const waits = nextRootKid === undefined ? [] : await notReadyFor(env, published.value, now);
  const prepared = slots.find(({ state }) => state === "prepared");
  const next =
    prepared === undefined ? "" : ` The next one signs from ${new Date(prepared.movesAt).toISOString()}.`;
  const root =
    nextRootKid === undefined
      ? ""
      : waits.length === 0
        ? " A next root key may be activated: tulle keys rotate --root --activate."
        : ` A next root key waits to be activated. ${waits.join(" ")}`;
  return [fine(name, `${keys.length} published, bundle ${sequence}.${next}${root}`)];
};

/** Less than this is left of a signed document only when it was not signed anew in time: it is at half of its life. */
const freshness: Look = async (env, now) => {
  const [published, { headsExpireAt }] = await Promise.all([issuer(env).bundle(), policyStore(env).state()]);
  if (!published.ok) return [];
  const remedy = "See signing keys, and the log of the control worker. Workers refuse what has expired.";
  const aged = (name: string, expiresAt: number, lifeMs: number): CheckLine => {
    const detail = `Valid until ${new Date(expiresAt).toISOString()}.`;
    if (expiresAt <= now) return failed(name, `Expired at ${new Date(expiresAt).toISOString()}.`, remedy);
    return expiresAt - now < lifeMs / 4 ? warning(name, detail, remedy) : fine(name, detail);
  };
  return [
    aged("trust bundle", published.value.expiresAt, bundleLifeMs),
    ...(Number.isFinite(headsExpireAt) ? [aged("heads", headsExpireAt, headLifeS * 1_000)] : []),
  ];
};

/** One line for each federated trust domain; none where there is none. */
const federations: Look = async (env) => {
  const { federations: all } = await answerOf(env);
  return all.map(federationLine);
};

function federationLine(line: FederationLine): CheckLine {
  const { trustDomain, state, keys, sequence, seenAt = "", believedUntil = "", error = "" } = line;
  const name = `federation ${trustDomain}`;
  const remedy = `See tulle federation show ${trustDomain}, and ask its operators. When it is mended: tulle federation refresh ${trustDomain}.`;
  switch (state) {
    case "pending":
      return failed(name, `Its bundle has never been seen: ${error}. Its callers are refused.`, remedy);
    case "expired":
      return failed(
        name,
        `Its bundle was seen last at ${seenAt}, longer ago than ${keptMs / 3_600_000} h: ${error}. Its callers are refused.`,
        remedy,
      );
    case "failing":
      return warning(
        name,
        `Its bundle was seen last at ${seenAt}: ${error}. Its callers are believed until ${believedUntil}.`,
        remedy,
      );
    case "ok":
      return keys.length === 0
        ? warning(name, "Its bundle has no WIT-SVID key of P-256, so its callers are refused.", remedy)
        : fine(name, `${keys.length} keys, bundle ${sequence ?? "without sequence"}, seen at ${seenAt}.`);
  }
}

const store: Look = async (env) => {
  const { revision, documents, unsignedHeads } = await policyStore(env).state();
  const name = "policy store";
  if (unsignedHeads > 0) {
    return [failed(name, `${unsignedHeads} heads are not signed.`, "See signing keys.")];
  }
  return [fine(name, `Revision ${revision}, ${documents} documents.`)];
};

/** Documents that are told one by one; the others are counted. */
const maxUnsettled = 20;
/** Keys of KV that are told one by one. */
const maxStrayed = 20;

/** What this version refuses is in force from before, and holds in part or not at all. */
const documents: Look = async (env) => {
  const all = await policyStore(env).refused();
  if (all.length === 0) return [fine("documents", "This version of Tulle takes all of them.")];
  const lines = all.slice(0, maxUnsettled).map(({ document, issues: [first], meanwhile }) => {
    const place = first === undefined ? "" : ` line ${first.line}: ${first.message}`;
    return failed(
      document,
      `This version of Tulle refuses it,${place}`,
      `Mend it and apply it, or delete it. Until then, from the first change of policy by this version on: ${meanwhile}`,
    );
  });
  const left = all.length - lines.length;
  return left === 0
    ? lines
    : [...lines, failed("documents", `${left} more are refused.`, "See tulle status -o json.")];
};

const routes: Look = async (env) => {
  const { total, first } = await policyStore(env).unsettled(maxUnsettled);
  if (total === 0) return [fine("routes", "All are accepted, and all that they refer to is there.")];
  const lines = first.map(({ document, what, message }) => warning(document, what, message));
  const left = total - first.length;
  return left === 0
    ? lines
    : [
        ...lines,
        warning(
          "routes",
          `${left} more conditions are not as they should be.`,
          "See tulle get httproutes and tulle get gateways.",
        ),
      ];
};

const kv: Look = async (env) => {
  const [state, strayed] = await Promise.all([policyStore(env).state(), policyStore(env).strayed()]);
  return [
    ...behind(state),
    ...(strayed.length === 0 ? [fine("KV signatures", "Bundle and heads are what control signed.")] : []),
    ...strayed.slice(0, maxStrayed).map(strayedLine),
    ...(strayed.length > maxStrayed
      ? [
          warning(
            "KV",
            `${strayed.length - maxStrayed} more keys are not what control signed.`,
            "Run tulle sync.",
          ),
        ]
      : []),
    ...state.invalid.map(({ key, issues }) =>
      warning(
        `KV ${key}`,
        `What was put there is not in force: ${issues[0]?.message ?? "it is not valid"}`,
        "Mend it and put it again, or delete the key; the last good document stays in force.",
      ),
    ),
  ];
};

function strayedLine({ key, how }: Strayed): CheckLine {
  switch (how) {
    case "forged":
      return failed(
        `KV ${key}`,
        "It was not signed by this mesh's root key for this place: somebody else wrote it. Workers refuse it.",
        "Run tulle sync, which writes the right one, and find out who may write to the namespace. Only in the minute after tulle keys rotate --root --activate may KV be late.",
      );
    case "older":
      return warning(
        `KV ${key}`,
        "It is older than what control wrote last.",
        "KV takes a minute to spread. If it stays so, somebody put it back: run tulle sync, and find out who.",
      );
    case "gone":
      return warning(
        `KV ${key}`,
        "It is gone: a worker that needs it cannot start while control is down.",
        "KV takes a minute to spread. If it stays so, run tulle sync, which writes it again.",
      );
  }
}

function behind({ unpublishedHeads, unwrittenDocuments }: StoreState): readonly CheckLine[] {
  const due = unpublishedHeads + unwrittenDocuments;
  if (due === 0) return [fine("KV", "Shows what is in force.")];
  return [
    warning(
      "KV",
      `${unpublishedHeads} heads and ${unwrittenDocuments} documents are not written to KV yet.`,
      "Run tulle sync. Workers that run already are not affected.",
    ),
  ];
}

const services: Look = async (env, now) => {
  const { services: all } = await statusOf(env, now);
  const real = all.filter(({ virtual }) => !virtual);
  const lines = real.flatMap((service) => [...serviceLine(service), ...refusing(service)]);
  return lines.length > 0 ? lines : [fine("services", `${real.length} run the newest policy.`)];
};

function serviceLine({ service, state, epoch }: StatusAnswer["services"][number]): readonly CheckLine[] {
  const name = `service ${service}`;
  switch (state) {
    case "SYNCED":
      return [];
    case "STALE":
      return [
        warning(
          name,
          `An isolate runs epoch ${epoch} still.`,
          "It follows with its next report. If it stays so, look for snapshot_refused and bundle_refused in /metrics.",
        ),
      ];
    case "NOT SEEN":
      return [
        warning(
          name,
          "It has not reported in the last 15 minutes.",
          "Send it a request. If it stays so, its wrangler.toml lacks the binding MESH, or it does not import the mesh.",
        ),
      ];
  }
}

function refusing({ service, refused }: StatusAnswer["services"][number]): readonly CheckLine[] {
  if (refused === undefined) return [];
  return [
    warning(
      `service ${service}`,
      `It refused what came to it as control's trust bundle, policy or session keys, ${refused} times, and goes on with the last good ones, or without keys.`,
      "No root key that it believes signed that, or it was older or for somebody else. Look whether its TULLE_ROOT names the present root key, and at who answers its binding MESH, or its TULLE_URL. Without TULLE_ROOT a root key was activated that an isolate had not heard of: deploy the worker anew.",
    ),
  ];
}

const clock: Look = async (env, now) => {
  const before = Date.now();
  const theirs = await issuer(env).time();
  const apart = Math.max(before - theirs, theirs - Date.now(), 0);
  return apart > clockMs
    ? [
        warning(
          "clock",
          `The issuer's clock is ${apart} ms apart from this worker's.`,
          "Wait: the platform sets its clocks. Proofs may fail meanwhile.",
        ),
      ]
    : [fine("clock", new Date(now).toISOString())];
};

const line =
  (result: CheckLine["result"]) =>
  (name: string, detail: string, remedy: string): CheckLine => ({
    name,
    result,
    detail,
    remedy,
  });
const warning = line("warning");
const failed = line("failed");
const fine = (name: string, detail: string): CheckLine => ({ name, result: "ok", detail, remedy: "" });

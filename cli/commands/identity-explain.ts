import type { Captured } from "@tulle/mesh-runtime/identity/explanation/captured.ts";
import {
  explainIdentity,
  type IdentityExplanation,
} from "@tulle/mesh-runtime/identity/explanation/explain.ts";
import { spanText } from "@tulle/mesh-runtime/identity/explanation/findings.ts";
import { parseSignatureInput } from "@tulle/mesh-runtime/identity/signature-input.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type CapturedFile, joinedFields, parseCaptured } from "../captured-request.ts";
import type { Control } from "../client.ts";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { type IdentityReport, identityText } from "../identity-explanation.ts";
import { parsePlace } from "../kinds.ts";
import type { Cli, Session } from "../session.ts";
import { bytesOf, type Verifier, type VerifierOptions, verifierFrom } from "../verifier.ts";

export interface IdentityExplainOptions extends VerifierOptions {
  readonly method?: string;
  readonly requestUrl?: string;
  readonly body?: string;
  readonly at?: number;
  readonly binding?: string;
}

/** `tulle identity explain`: of a request that somebody kept, which checks of the caller's identity it passes. */
export function addIdentityExplain(identity: Command, perform: Cli["perform"]): void {
  identity
    .command("explain")
    .argument(
      "<file>",
      "the request: as curl -v prints it, raw HTTP, header lines, or JSON (HAR, log); - is stdin",
    )
    .description("why a captured request is believed or not, check by check; exit code 1 if it is refused")
    .option("--service <name>", "who got it: name, or namespace/name (default: whom it says that it is for)")
    .option("-n, --namespace <namespace>", "the namespace of --service (default: default)")
    .option("--audience <spiffe-id>", "the same, by its SPIFFE ID")
    .option("-X, --method <method>", "its method, where the file does not say")
    .option("--request-url <url>", "its URL, or path and query, where the file does not say")
    .option("--body <file>", "its body, to compare with Content-Digest")
    .option("--binding <service>", "it came by a service binding whose props say this caller")
    .addOption(new Option("--at <time>", "judge as of then: ISO 8601 (default: now)").argParser(parseTime))
    .option("--bundle <file>", "verify with this signed trust bundle, and ask nobody (default: control's)")
    .option(
      "--root-key <file>",
      "with --bundle: the root key that signed it, as workers have it in TULLE_ROOT",
    )
    .action((file: string, options: IdentityExplainOptions, command: Command) =>
      perform(command, async (session) => {
        const report = await reportOn(session, file, options);
        session.show(report, () => session.terminal.out(identityText(session.terminal, report)));
        return report.accepted ? exit.ok : exit.wrong;
      }),
    );
}

/**
 * What the command answers.
 * @param file a path, or `-` for standard input
 */
export async function reportOn(
  { control, terminal }: { readonly control: Control; readonly terminal: Pick<Session["terminal"], "stdin"> },
  file: string,
  options: IdentityExplainOptions,
): Promise<IdentityReport> {
  const text = file === "-" ? await terminal.stdin() : Buffer.from(bytesOf(file)).toString("utf8");
  const read = parseCaptured(text, file === "-" ? "standard input" : file);
  const captured = completed(read, options);
  const input = parseSignatureInput(captured.headers.get("signature-input") ?? "");
  const stated = input.ok ? input.value : undefined;
  const verifier = await verifierFrom(control, options, stated?.audience);
  const now = Date.now();
  const at = options.at ?? now;
  const explanation = await explainIdentity(captured, { ...verifier, now: at });
  const others: OtherTime[] = [];
  if (read.capturedAt !== undefined)
    others.push({ at: read.capturedAt, by: "when the file says that it was captured" });
  else if (stated !== undefined)
    others.push({ at: stated.created * 1_000, by: "when its proof says that it was made" });
  if (options.at !== undefined) others.push({ at: now, by: "which is now" });
  const changes = await Promise.all(
    others.map((other) => otherwise(captured, verifier, explanation, at, other)),
  );
  return {
    ...explanation,
    audience: verifier.policy.self.uri,
    at: new Date(at).toISOString(),
    notes: [...changes.flat(), ...verifier.notes],
  };
}

/** Another time that a request can be judged at, and why that one. */
interface OtherTime {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly by: string;
}

/** What another time would change: a request that is looked at later has nearly always run out. */
async function otherwise(
  captured: Captured,
  verifier: Verifier,
  explanation: IdentityExplanation,
  at: number,
  other: OtherTime,
): Promise<readonly string[]> {
  if (Math.abs(other.at) > maxTimeMs || other.at === at) return [];
  const then = await explainIdentity(captured, { ...verifier, now: other.at });
  if (then.accepted === explanation.accepted) return [];
  const apart = `${spanText(Math.abs(other.at - at))} ${other.at < at ? "before" : "after"}`;
  const when = `${new Date(other.at).toISOString()}, ${other.by}, ${apart}`;
  const failed = then.checks.find(({ outcome }) => outcome === "failed");
  return [then.accepted ? `It was valid at ${when}.` : `It is refused at ${when}: ${failed?.detail ?? ""}.`];
}

/** The last time that a `Date` can tell, milliseconds since the Unix epoch. */
const maxTimeMs = 8.64e15;

/** The request whole: what the command line says goes before what the file says. */
function completed(read: CapturedFile, options: IdentityExplainOptions): Captured {
  const { fields, repeated } = joinedFields(read.headers);
  const method = options.method ?? read.method;
  const target = options.requestUrl ?? read.target;
  if (method === undefined || target === undefined)
    throw new Failure(
      exit.usage,
      `The file does not say the request's ${method === undefined ? "method" : "URL"}, which the signature covers.`,
      "Give --method POST --request-url http://payments/charge.",
    );
  const body = options.body === undefined ? read.body : bytesOf(options.body);
  const place = options.binding === undefined ? undefined : parsePlace(options.binding, undefined);
  const props = place && { service: place.name, namespace: place.namespace };
  return { method, url: urlOf(target, fields.get("host")), headers: fields, body, repeated, props };
}

/** As a runtime makes it of the wire's target and Host; no check asks for the host. */
function urlOf(target: string, host: string | null): string {
  const whole = target.startsWith("/") ? `http://${host ?? "host.invalid"}${target}` : target;
  if (URL.canParse(whole) && /^https?:/i.test(whole)) return new URL(whole).href;
  // The text is not repeated: queries hold secrets.
  throw new Failure(exit.usage, "The request's URL must be like http://payments/charge, or begin with /.");
}

function parseTime(text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError("It must be a time such as 2027-01-31T10:00:00Z.");
}

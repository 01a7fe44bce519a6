import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { exit } from "../exit-codes.ts";
import { parsePlace } from "../kinds.ts";
import type { Cli } from "../session.ts";
import { addEntries } from "./entries.ts";
import { addIdentityExplain } from "./identity-explain.ts";
import { addRevocations } from "./revocations.ts";

const minTtlMs = 1_000;
const maxTtlMs = 600_000;

interface TokenOptions {
  readonly service: string;
  readonly namespace?: string;
  readonly ttl: number;
}

/** `tulle identity`: who workloads are; with `token`, a one-time join token for one that no service binding vouches for. */
export function addIdentity({ program, perform }: Cli): void {
  const identity = program.command("identity").description("who workloads are");
  addRevocations(identity, perform);
  addEntries(identity, perform);
  addIdentityExplain(identity, perform);
  identity
    .command("token")
    .description("print a join token on stdout: for one start of one workload outside of Cloudflare")
    .requiredOption("--service <name>", "the service that may join with it: name, or namespace/name")
    .option("-n, --namespace <namespace>", "its namespace (default: default)")
    .addOption(
      new Option("--ttl <duration>", "how long it can be used, at most 10m")
        .argParser(parseTtl)
        .default(maxTtlMs, "10m"),
    )
    .action((options: TokenOptions, command: Command) =>
      perform(command, async (session) => {
        const { namespace, name } = parsePlace(options.service, options.namespace);
        const answer = await session.control.joinToken({
          service: `${namespace}/${name}`,
          ttlMs: options.ttl,
        });
        session.show(answer, () => {
          session.terminal.note(
            `Join token for ${answer.service}: works once, until ${answer.expiresAt}. It is not shown again.`,
          );
          session.terminal.out(answer.token);
        });
        return exit.ok;
      }),
    );
}

function parseTtl(text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value >= minTtlMs && parsed.value <= maxTtlMs) return parsed.value;
  throw new InvalidArgumentError(parsed.ok ? "It must be from 1s to 10m." : `It must be ${parsed.reason}.`);
}

import type { OperatorToken, Role } from "@tulle/control/api/contract.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { spanMs } from "../days.ts";
import { exit } from "../exit-codes.ts";
import { table } from "../report.ts";
import type { Cli } from "../session.ts";

const minTtlMs = 60_000;
const maxTtlMs = 366 * 86_400_000;
const defaultTtl = "90d";

interface CreateOptions {
  readonly name: string;
  readonly role: Role;
  readonly ttl: number;
}

/** `tulle token`: who may use the admin API, with which role. */
export function addToken({ program, perform }: Cli): void {
  const token = program.command("token").description("who may use this command line, with which role");
  token
    .command("create")
    .description("print a new operator token on stdout; it is shown this once")
    .requiredOption("--name <name>", "who or what it is for: what history and the audit log show")
    .addOption(
      new Option(
        "--role <role>",
        "viewer looks; editor changes policy; admin makes tokens, keys and all else",
      )
        .choices(["viewer", "editor", "admin"])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--ttl <duration>", "how long it is valid, such as 12h or 30d, at most 366d")
        .argParser(parseTtl)
        .default(spanMs(defaultTtl), defaultTtl),
    )
    .action((options: CreateOptions, command: Command) =>
      perform(command, async (session) => {
        const { name, role, ttl } = options;
        const made = await session.control.createToken({ name, role, ttlMs: ttl });
        session.show(made, () => {
          session.terminal.note(
            `Operator token ${made.name} with role ${made.role}, until ${made.expiresAt}. It is not shown again.`,
          );
          session.terminal.out(made.token);
        });
        return exit.ok;
      }),
    );
  token
    .command("list")
    .description("all tokens, with the secrets of the control worker")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        const { tokens } = await session.control.tokens();
        session.show(tokens, () =>
          session.terminal.out(table(session.terminal, columns, tokens.map(row(Date.now())))),
        );
        return exit.ok;
      }),
    );
  token
    .command("revoke")
    .description("take a token back, at once and everywhere")
    .argument("<name>", "as `tulle token list` shows it")
    .action((name: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const revoked = await session.control.revokeToken(name);
        session.show(revoked, () =>
          session.terminal.out(`Token ${revoked.name} (${revoked.role}) is revoked.`),
        );
        return exit.ok;
      }),
    );
}

const columns = [
  { head: "NAME" },
  { head: "ROLE" },
  { head: "CREATED" },
  { head: "BY" },
  { head: "EXPIRES" },
  { head: "LAST USED" },
] as const;

const row =
  (now: number) =>
  ({ name, role, id, createdAt, createdBy, expiresAt, lastUsedAt }: OperatorToken): readonly string[] => [
    name,
    role,
    minute(createdAt) ?? "-",
    id === undefined ? "(secret)" : (createdBy ?? "-"),
    expiresAt === undefined
      ? "never"
      : `${minute(expiresAt)}${Date.parse(expiresAt) <= now ? " expired" : ""}`,
    id === undefined ? "-" : (minute(lastUsedAt) ?? "never"),
  ];

const minute = (at: string | undefined): string | undefined =>
  at?.replace("T", " ").replace(/:\d\d(?:\.\d+)?Z$/, "Z");

function parseTtl(text: string): number {
  const ms = spanMs(text);
  if (ms >= minTtlMs && ms <= maxTtlMs) return ms;
  throw new InvalidArgumentError("It must be from 1m to 366d.");
}

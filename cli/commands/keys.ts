import type { KeyLine, KeysAnswer } from "@tulle/control/api/contract.ts";
import { type Command, Option } from "commander";
import { exit } from "../exit-codes.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import type { Look } from "../terminal.ts";

const looks: Readonly<Record<KeyLine["state"], Look>> = {
  active: "green",
  prepared: "yellow",
  retiring: "dim",
};

interface RotateOptions {
  readonly root?: true;
  readonly activate?: true;
  readonly force?: true;
}

/** `tulle keys`: the keys of the issuer, the next one now, and one that leaked. */
export function addKeys({ program, perform }: Cli): void {
  const keys = program.command("keys").description("the keys that sign credentials, bundles and policy");
  keys
    .command("list")
    .description("the keys and what becomes of them when")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        show(session, await session.control.keys());
        return exit.ok;
      }),
    );
  keys
    .command("rotate")
    .description("make the next signing key now; it signs when it has been published for long enough")
    .option("--root", "the root key instead: make the next one and publish it, for TULLE_ROOT")
    .addOption(new Option("--activate", "with --root: let the next root key sign; pin it first"))
    .addOption(
      new Option(
        "--force",
        "with --activate: although workers are not known to believe it; those that do not are locked out until they are deployed anew",
      ),
    )
    .action((options: RotateOptions, command: Command) =>
      perform(command, async (session) => {
        const answer = await session.control.rotateKey({
          key: options.root ? "root" : "signing",
          ...(options.activate ? { activate: true } : {}),
          ...(options.force ? { force: true } : {}),
        });
        show(session, answer);
        if (options.root)
          session.terminal.note(
            options.activate
              ? "An isolate that has not heard of this root key before refuses what control says until it is started anew, by a deploy: tulle check names its service."
              : "Nothing is signed by it yet. Pin both (tulle check -o json: rootKeys), deploy, and wait a day before --activate, which is refused until everybody is known to believe it.",
          );
        return exit.ok;
      }),
    );
  keys
    .command("revoke")
    .argument("<kid>", "the kid of a signing key, as tulle keys list shows it")
    .description("take a signing key that leaked out of the bundle at once")
    .action((kid: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        show(session, await session.control.revokeKey(kid));
        session.terminal.note(
          "Workloads with a binding get other tokens by themselves. One that began with a join token needs a new one: tulle identity token --service NAME.",
        );
        return exit.ok;
      }),
    );
}

function show(session: Session, answer: KeysAnswer): void {
  session.show(answer, () => {
    const { terminal } = session;
    const now = Date.now();
    const columns = [{ head: "KID" }, { head: "USE" }, { head: "STATE" }, { head: "FOR" }, { head: "NEXT" }];
    const rows = answer.keys.map(({ kid, use, state, since, movesAt }) => [
      kid,
      use,
      terminal.paint(looks[state], state),
      since === undefined ? "-" : ago(Math.max(0, now - Date.parse(since))),
      next(use, state, movesAt),
    ]);
    terminal.out(table(terminal, columns, rows));
    terminal.note(`Bundle ${answer.bundle.sequence}, valid until ${answer.bundle.expiresAt}.`);
  });
}

/** What becomes of a key, and when. */
function next(use: KeyLine["use"], state: KeyLine["state"], at: string | undefined): string {
  if (use === "root")
    return state === "active"
      ? "-"
      : `signs after: tulle keys rotate --root --activate${at === undefined ? "" : `, from ${at}`}`;
  const what = { prepared: "signs from", active: "signs until", retiring: "leaves the bundle at" }[state];
  return `${what} ${at ?? "-"}`;
}

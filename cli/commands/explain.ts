import type { ExplainRequest } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { explanationText } from "../explanation.ts";
import { Failure } from "../failure.ts";
import { parsePlace } from "../kinds.ts";
import type { Cli } from "../session.ts";
import { append } from "./apply.ts";

interface ExplainOptions {
  readonly from?: string;
  readonly namespace?: string;
  readonly via?: string;
  readonly request: string;
  readonly header?: readonly string[];
}

/** `tulle explain`: what becomes of one request, and why. Nothing is sent to any worker. */
export function addExplain({ program, perform }: Cli): void {
  program
    .command("explain")
    .description("what would become of a request and why; exit code 6 if the mesh would refuse it")
    .argument("<url>", "such as http://payments/charge, or the URL of a host that a gateway lets in")
    .option("--from <service>", "who sends it: name, or namespace/name (default: somebody outside)")
    .option("-n, --namespace <namespace>", "the sender's namespace (default: default)")
    .option(
      "--via <gateway>",
      "the gateway that lets it in, with /listener if need be (default: by the host)",
    )
    .option("-X, --request <method>", "its method, as with curl", "GET")
    .option("-H, --header <header>", "'name: value', as with curl; repeatable", append)
    .action((url: string, options: ExplainOptions, command: Command) =>
      perform(command, async (session) => {
        const answer = await session.control.explain(requestOf(url, options));
        session.show(answer, () => session.terminal.out(explanationText(session.terminal, answer)));
        return answer.served > 0 ? exit.ok : exit.unserved;
      }),
    );
}

function requestOf(
  url: string,
  { from, namespace, via, request, header = [] }: ExplainOptions,
): ExplainRequest {
  if (from !== undefined && via !== undefined)
    throw new Failure(
      exit.usage,
      "--from and --via exclude each other: a workload calls, or somebody outside comes in by a gateway.",
    );
  if (from === undefined && namespace !== undefined)
    throw new Failure(exit.usage, "--namespace is the sender's: say who sends with --from.");
  // As curl does; a single word before the port or path is a host.
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(whole))
    throw new Failure(exit.usage, `"${url}" is not a URL: it must be like http://payments/charge.`);
  const place = from === undefined ? undefined : parsePlace(from, namespace);
  return {
    ...(place === undefined ? {} : { from: `${place.namespace}/${place.name}` }),
    ...(via === undefined ? {} : { via }),
    method: request,
    url: whole,
    headers: header.map(headerOf),
  };
}

/** curl's `-H`: `name: value`, and `name;` for one without a value. */
function headerOf(text: string): { readonly name: string; readonly value: string } {
  const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?::([^\r\n]*)|;)$/.exec(text);
  if (found?.[1] === undefined)
    // The text is not repeated: it may be a credential that stands in the wrong place.
    throw new Failure(
      exit.usage,
      "A header must be like 'x-tenant: a'.",
      "Write -H 'name: value'; repeat -H for more.",
    );
  return { name: found[1].toLowerCase(), value: (found[2] ?? "").trim() };
}

import type { TraceAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { count, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import { bar, branches, ending, extent } from "../waterfall.ts";

/** `tulle trace`: one request through the mesh, as a waterfall. */
export function addTrace({ program, perform }: Cli): void {
  program
    .command("trace")
    .description("one request through the mesh, span below span")
    .argument("<id>", "trace id (32 hex digits), or a whole traceparent")
    .action((id: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const trace = await session.control.trace(parseTraceId(id));
        if (trace.spans.length === 0)
          throw new Failure(exit.wrong, `Nothing is known of the trace ${trace.traceId}.`);
        session.show(trace, () => print(session, trace));
        return exit.ok;
      }),
    );
}

/** W3C Trace Context, 2.2: a traceparent's second field is the trace id. */
function parseTraceId(text: string): string {
  const found = /^(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?$/.exec(text.toLowerCase());
  if (found?.[1] !== undefined) return found[1];
  throw new Failure(exit.usage, `"${text}" is not a trace id: it has 32 hexadecimal digits.`);
}

/** Deeper spans are indented no further than this, so that the bars keep their place, levels. */
const maxIndent = 12;

function print({ terminal }: Session, { traceId, spans }: TraceAnswer): void {
  const { out, paint, width } = terminal;
  const whole = extent(spans);
  const failures = spans.filter(({ status }) => status === 2).length;
  const services = new Set(spans.map(({ workload }) => workload)).size;
  const facts = [
    count(spans.length, "span"),
    count(services, "service"),
    milliseconds(whole.endMs - whole.startMs),
  ];
  out(
    `${paint("bold", traceId)}  ${facts.join(", ")}${failures === 0 ? "" : `, ${paint("red", count(failures, "error"))}`}`,
  );
  const columns = [
    { head: "SPAN" },
    { head: "SERVICE" },
    { head: "TIME" },
    { head: "TOOK", align: "right" },
    { head: "ENDED" },
  ] as const;
  const tree = branches(spans);
  const rows = tree.map(({ span, depth }) => {
    const drawing = bar(span, whole, Math.max(16, Math.floor(width / 3)));
    const wrong = span.status === 2;
    return [
      "  ".repeat(Math.min(depth, maxIndent)) + span.name,
      span.workload,
      paint(wrong ? "red" : "cyan", drawing),
      milliseconds(span.endMs - span.startMs),
      wrong ? paint("red", ending(span) || "error") : ending(span),
    ];
  });
  out(table(terminal, columns, rows));
  for (const { span } of tree)
    if (span.error !== undefined && span.error !== "")
      out(`${paint("red", span.workload)} ${span.name}: ${span.error}`);
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${Math.max(0, ms).toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { InvalidArgumentError } from "commander";

const dayMs = 86_400_000;

/** Reads a time span that may be days, such as `90d`, `12h`, `1h30m`. Milliseconds. */
export function spanMs(text: string): number {
  const days = /^([0-9]{1,5})d$/.exec(text)?.[1];
  if (days !== undefined) return Number(days) * dayMs;
  const parsed = parseDuration(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(`It must be days such as "90d", or ${parsed.reason}.`);
}

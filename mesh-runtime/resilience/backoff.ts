import type { Random } from "../foundation/ports.ts";

/**
 * How long to pause before a further try: full jitter, a uniform draw from nothing to a bound that
 * doubles with each retry (Envoy: `(2^n - 1) * base`, and AWS's "full jitter"). Spreading over the whole
 * range is what keeps callers that failed together from coming back together.
 *
 * @param retry 1 for the first further try
 * @returns milliseconds
 */
export function backoffMs(
  retry: number,
  policy: { readonly backoffBaseMs: number; readonly backoffMaxMs: number },
  random: Random,
): number {
  const bound = Math.min(policy.backoffMaxMs, (2 ** Math.min(retry, 30) - 1) * policy.backoffBaseMs);
  return Math.floor(random() * Math.max(0, bound));
}

/** The longest wait that is read from `Retry-After`, milliseconds; a longer one is taken as this long. */
const longestMs = 86_400_000;

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3): whole seconds, or a date in any of the three forms that a
 * recipient must accept (§5.6.7).
 * @returns milliseconds from `now`, 0 for a date that has passed, `undefined` for what cannot be read
 */
export function parseRetryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  if (/^[0-9]{1,10}$/.test(text)) return Math.min(longestMs, Number(text) * 1_000);
  const at = parseHttpDate(text);
  return at === undefined ? undefined : Math.max(0, Math.min(longestMs, at - now));
}

const day = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const time = "[0-9]{2}:[0-9]{2}:[0-9]{2}";
const imfFixdate = new RegExp(`^${day}, [0-9]{2} ${month} [0-9]{4} ${time} GMT$`);
const rfc850Date = new RegExp(
  `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, ([0-9]{2})-(${month})-([0-9]{2}) (${time}) GMT$`,
);
const asctimeDate = new RegExp(`^${day} (${month}) ([0-9 ][0-9]) (${time}) ([0-9]{4})$`);

function parseHttpDate(text: string): number | undefined {
  const at = Date.parse(inFixedForm(text) ?? "");
  return Number.isNaN(at) ? undefined : at;
}

/** The IMF-fixdate of an HTTP-date, so that nothing depends on what else a runtime's `Date.parse` takes. */
function inFixedForm(text: string): string | undefined {
  if (imfFixdate.test(text)) return text;
  const old = rfc850Date.exec(text);
  // §5.6.7: a two-digit year that seems more than 50 years ahead is of the past century.
  if (old !== null) return `${old[1]} ${old[2]} ${Number(old[3]) < 70 ? "20" : "19"}${old[3]} ${old[4]} GMT`;
  const c = asctimeDate.exec(text);
  return c === null ? undefined : `${c[2]?.trim()} ${c[1]} ${c[4]} ${c[3]} GMT`;
}

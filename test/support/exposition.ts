/** One sample of Prometheus' text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A family: what TYPE said, and its samples. */
export interface Family {
  readonly type: string;
  readonly samples: readonly Sample[];
}

const sampleForm =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([-+]?(?:[0-9.e+-]+|Inf)|NaN)$/;
const labelForm = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/g;
const suffixes: Readonly<Record<string, readonly string[]>> = { histogram: ["_bucket", "_sum", "_count"] };

/**
 * Reads the text exposition format 0.0.4, strictly: what a scraper may refuse is an error here. Each family has its
 * HELP and TYPE before its samples and stands in one piece, and no series comes twice.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line does not end");
  const families = new Map<string, { readonly type: string; readonly samples: Sample[] }>();
  const series = new Set<string>();
  let helped = "";
  let present = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP (\S+) .+$/.exec(line)?.[1];
    const [, typed, type = ""] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (help !== undefined) helped = help;
    else if (typed !== undefined) {
      if (typed !== helped || families.has(typed)) throw new Error(`Misplaced: ${line}`);
      families.set(typed, { type, samples: [] });
      present = typed;
    } else {
      const [, name = "", labels = "", value = ""] = sampleForm.exec(line) ?? [];
      const family = families.get(present);
      const names = (suffixes[family?.type ?? ""] ?? [""]).map((suffix) => present + suffix);
      if (family === undefined || !names.includes(name)) throw new Error(`No sample of ${present}: ${line}`);
      const key = line.slice(0, line.lastIndexOf(" "));
      if (series.has(key)) throw new Error(`Twice: ${key}`);
      series.add(key);
      family.samples.push({ name, labels: labelsIn(labels), value: numberOf(value) });
    }
  }
  return families;
}

const labelsIn = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...text.matchAll(labelForm)].map(([, name = "", value = ""]) => [
      name,
      value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
    ]),
  );

const numberOf = (text: string): number => Number(text.replace("Inf", "Infinity"));

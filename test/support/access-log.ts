import type { AccessRecord } from "../../mesh-runtime/telemetry/words.ts";

/** The lines that the workers of a test mesh log, and the records of the access log among them. */
export class AccessLog {
  readonly lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  /** Takes a line; hand it to `startMesh` as `onLog`. */
  readonly take = (line: string): void => {
    this.lines.push(line);
    for (const look of [...this.#waiting]) look();
  };

  /** Every record so far that fits. */
  records(fits: (record: AccessRecord) => boolean): readonly AccessRecord[] {
    return this.lines.flatMap((line) => {
      const record = recordIn(line);
      return record !== undefined && fits(record) ? [record] : [];
    });
  }

  /** The first record that fits, as soon as it is there: lines come later than the answers that they tell of. */
  record(fits: (record: AccessRecord) => boolean): Promise<AccessRecord> {
    return this.#first(() => this.records(fits)[0]);
  }

  /** The first line that contains a text, as soon as it is there. */
  line(text: string): Promise<string> {
    return this.#first(() => this.lines.find((line) => line.includes(text)));
  }

  /** Waits until the lines so far make something true. */
  async when(isSo: () => boolean): Promise<void> {
    await this.#first(() => (isSo() ? true : undefined));
  }

  #first<Found>(find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

function recordIn(line: string): AccessRecord | undefined {
  if (!line.startsWith('{"time":')) return undefined;
  const record = JSON.parse(line) as AccessRecord | { readonly event: string };
  return "direction" in record ? record : undefined;
}

/** Requests that go on until they are stopped. */
export interface Traffic<Answer> {
  /** Every answer so far, in the order in which they came. */
  readonly answers: readonly Answer[];
  /** Resolves when so many further answers are here. */
  more(count: number): Promise<readonly Answer[]>;
  /** Sends no more, and resolves when what is under way is answered. */
  stop(): Promise<readonly Answer[]>;
}

/** Sends over so many lanes; each sends its next request when its last one is answered. */
export function traffic<Answer>(lanes: number, send: () => Promise<Answer>): Traffic<Answer> {
  const answers: Answer[] = [];
  const waiting = new Set<() => void>();
  let going = true;
  const lane = async (): Promise<void> => {
    while (going) {
      answers.push(await send());
      for (const look of [...waiting]) look();
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return {
    answers,
    async more(count) {
      const from = answers.length;
      // A lane that fails fails whoever waits, instead of leaving them waiting.
      await Promise.race([
        all,
        new Promise<void>((resolve) => {
          const look = (): void => {
            if (answers.length - from < count) return;
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
        }),
      ]);
      return answers.slice(from);
    },
    async stop() {
      going = false;
      await all;
      return answers;
    },
  };
}

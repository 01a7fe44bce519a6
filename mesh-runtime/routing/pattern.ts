import type { Pattern } from "./words.ts";

/**
 * What an instruction of a pattern does, by its first number. 0 or more: it reads a character of that class
 * and goes on at its second number. `fork` goes on at both of its other numbers. `look` goes on at its third
 * number where all is so that its second one asks for: a sum of 1 (a line begins here), 2 (a line ends),
 * 4 (the text begins), 8 (it ends), 16 (a word begins or ends) and 32 (none does). `accept` takes a text
 * that ends here. `one` or less: it reads the one character by whose number it is less, and goes on at its
 * second number.
 */
export const instruction = { accept: -1, fork: -2, look: -3, one: -16 } as const;

/** What stands beside a place, as far as `look` asks; `edge`: nothing does. */
export const beside = { other: 0, word: 1, newline: 2, edge: 3 } as const;

/** Where the classes that `look` tells apart begin and end, in turn: `\w` and the newline. */
export const lookClasses = { word: [48, 58, 65, 91, 95, 96, 97, 123], newline: [10, 11] } as const;

export const besideOf = (char: number | undefined): number => {
  if (char === undefined) return beside.edge;
  if (isIn(lookClasses.word, char)) return beside.word;
  return isIn(lookClasses.newline, char) ? beside.newline : beside.other;
};

/** What is so at a place between two characters, as `look` asks for it. */
export const placeBetween = (before: number, after: number): number =>
  (before >= beside.newline ? 1 : 0) +
  (after >= beside.newline ? 2 : 0) +
  (before === beside.edge ? 4 : 0) +
  (after === beside.edge ? 8 : 0) +
  ((before === beside.word) === (after === beside.word) ? 32 : 16);

/** Whether a class has a character. */
export const isIn = (characters: readonly number[], char: number): boolean =>
  countUpTo(characters, char) % 2 === 1;

/** How many of ascending numbers are at most this one. */
export function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A pattern whose program has been read. */
export interface ReadPattern {
  readonly prefix: string;
  /** Sets of characters: the code points where one begins, ends, begins again and so on, ascending. */
  readonly classes: readonly (readonly number[])[];
  /** Three numbers for each {@link instruction}; the first one begins. */
  readonly program: readonly number[];
}

/** Reads programs, all at once. One that is none, which control never writes, falls under nothing. */
export function readPatterns(patterns: readonly Pattern[]): readonly ReadPattern[] {
  const all = parsed(`[${patterns.map(({ program }) => program).join()}]`);
  const isWhole = all.length === patterns.length;
  return patterns.map(({ prefix, program: text }, index) => {
    const lists = isWhole ? all[index] : parsed(text);
    const [program = [], ...classes] = Array.isArray(lists) && lists.every(isNumbers) ? lists : [];
    return { prefix, classes, program };
  });
}

function parsed(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    // Not JSON, and so no program; the parser's own message would quote it.
    return [];
  }
}

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(Number.isSafeInteger);

import type { Pattern } from "./words.ts";

/**
 * What an instruction does, by its first number. 0 or more: it reads a character of that class and goes on
 * at its second number. `fork` goes on at both of its other numbers. `look` goes on at its third number
 * where all is so that its second one asks for: a sum of 1 (a line begins here), 2 (a line ends),
 * 4 (the text begins), 8 (it ends), 16 (a word begins or ends) and 32 (none does). `accept` takes a text
 * that ends here.
 */
export const instruction = { accept: -1, fork: -2, look: -3 } as const;

/** What stands beside a place, as far as `look` asks; `edge`: nothing does. */
const beside = { other: 0, word: 1, newline: 2, edge: 3 } as const;

/** Classes that `look` tells apart: `\w` and the newline. */
const wordClass: readonly number[] = [48, 58, 65, 91, 95, 96, 97, 123];
const newlineClass: readonly number[] = [10, 11];

/** Where reading can be after some text: a state of the automaton, found out when it is first met. */
interface State {
  /** What stands before the place, then the instructions that could be next; as characters, to be found by. */
  readonly name: string;
  /** By interval of characters that no class tells apart. */
  readonly next: State[];
  accepts?: boolean;
}

/** Characters of names that one pattern keeps; beyond, it forgets its states and learns anew. */
const maxKept = 16_384;

/** By pattern, and gone with the snapshot that the pattern is from. */
const matchers = new WeakMap<Pattern, Matcher>();

/** Whether the whole text falls under a pattern. */
export type Matcher = (text: string) => boolean;

/** {@link matcherOf} for whoever keeps no matchers: one for each pattern. */
export function patternMatches(pattern: Pattern, text: string): boolean {
  const known = matchers.get(pattern);
  if (known !== undefined) return known(text);
  const matcher = matcherOf(pattern);
  matchers.set(pattern, matcher);
  return matcher(text);
}

/**
 * Tells whether whole texts fall under a pattern. Never goes back: each character costs at most one look at
 * each instruction, whatever the pattern and the text (Thompson's construction, states kept as RE2 does),
 * so that no document and no request can make it run long. A text that goes the ways of earlier ones
 * costs one look-up a character. Nothing is prepared before the first text.
 */
export function matcherOf(pattern: Pattern): Matcher {
  let automaton: Matcher | undefined;
  return (text) => {
    if (!text.startsWith(pattern.prefix)) return false;
    automaton ??= automatonOf(pattern);
    return automaton(text);
  };
}

function automatonOf({ prefix, classes, program }: Pattern): Matcher {
  const part = (index: number, which: 0 | 1 | 2): number => program[3 * index + which] ?? Number.NaN;
  const looks = program.some((number, index) => index % 3 === 0 && number === instruction.look);
  const told = looks ? [...classes, wordClass, newlineClass] : classes;
  const bounds = [...new Set(told.flat())].sort((a, b) => a - b);
  /** Of ASCII, the interval between bounds that a character is in. */
  const intervals = Uint16Array.from({ length: 128 }, (_, char) => countUpTo(bounds, char));
  const seen = new Uint8Array(program.length / 3);
  let states = new Map<string, State>();
  let start: State | undefined;
  let kept = 0;

  const kindOf = (char: number | undefined): number => {
    if (!looks) return beside.other;
    if (char === undefined) return beside.edge;
    return isIn(wordClass, char) ? beside.word : isIn(newlineClass, char) ? beside.newline : beside.other;
  };

  /** A list of instructions, each once. */
  const once = (): { readonly all: number[]; readonly add: (index: number) => void } => {
    seen.fill(0);
    const all: number[] = [];
    return {
      all,
      add: (index) => {
        if (seen[index] === 0) all.push(index);
        seen[index] = 1;
      },
    };
  };

  /** The instructions that are come to without reading, before what is given. */
  const reached = (name: string, after: number): readonly number[] => {
    const { all, add } = once();
    const here = placeBetween(name.charCodeAt(0), after);
    for (let at = 1; at < name.length; at++) add(name.charCodeAt(at));
    for (const index of all) {
      const kind = part(index, 0);
      if (kind === instruction.fork) {
        add(part(index, 1));
        add(part(index, 2));
      } else if (kind === instruction.look && (part(index, 1) & ~here) === 0) add(part(index, 2));
    }
    return all;
  };

  const stateOf = (kind: number, instructions: readonly number[]): State => {
    const name = String.fromCharCode(kind, ...instructions);
    const known = states.get(name);
    if (known !== undefined) return known;
    kept += name.length + 8;
    if (kept > maxKept) {
      kept = name.length;
      states = new Map();
      start = undefined;
    }
    const state: State = { name, next: [] };
    states.set(name, state);
    return state;
  };

  const after = ({ name }: State, char: number): State => {
    const kind = kindOf(char);
    const from = reached(name, kind);
    const { all, add } = once();
    for (const index of from) {
      const read = classes[part(index, 0)];
      if (read !== undefined && isIn(read, char)) add(part(index, 1));
    }
    return stateOf(kind, all);
  };

  const beginsAfter = kindOf(prefix === "" ? undefined : prefix.charCodeAt(prefix.length - 1));
  return (text) => {
    start ??= stateOf(beginsAfter, [0]);
    let state = start;
    for (let at = prefix.length; at < text.length; at++) {
      const char = text.codePointAt(at) ?? 0;
      if (char > 0xffff) at++;
      const interval = intervals[char] ?? countUpTo(bounds, char);
      let next = state.next[interval];
      if (next === undefined) {
        next = after(state, char);
        state.next[interval] = next;
      }
      state = next;
      if (state.name.length === 1) return false;
    }
    state.accepts ??= reached(state.name, kindOf(undefined)).some(
      (index) => part(index, 0) === instruction.accept,
    );
    return state.accepts;
  };
}

/** What is so at a place between two characters, as `look` asks for it. */
const placeBetween = (before: number, after: number): number =>
  (before >= beside.newline ? 1 : 0) +
  (after >= beside.newline ? 2 : 0) +
  (before === beside.edge ? 4 : 0) +
  (after === beside.edge ? 8 : 0) +
  ((before === beside.word) === (after === beside.word) ? 32 : 16);

const isIn = (characters: readonly number[], char: number): boolean => countUpTo(characters, char) % 2 === 1;

/** How many of ascending numbers are at most this one. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One line of an edit script. */
export interface Edit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** Above this many edits a text is shown as replaced as a whole: the search costs edits squared. */
const maxEdits = 800;
const contextLines = 3;

/**
 * The shortest edit script between two lists of lines (Myers 1986, greedy). Where more than a bounded number
 * of edits would be needed, the middle is given as removed and added whole; that is still a correct script.
 */
export function diffLines(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail += 1;
  const same = (line: string): Edit => ({ sign: " ", line });
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

/**
 * A unified diff of two texts with three lines of context; empty when they are equal.
 * @param name what stands in the `---` and `+++` lines
 */
export function unifiedDiff(name: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return "";
  const edits = diffLines(linesOf(before), linesOf(after));
  const from = before === undefined ? "/dev/null" : `a/${name}`;
  const to = after === undefined ? "/dev/null" : `b/${name}`;
  const hunks = hunksOf(edits);
  return hunks.length === 0 ? "" : `--- ${from}\n+++ ${to}\n${hunks.join("")}`;
}

function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  const lines = text.split("\n");
  // A text that does not end in a newline differs from one that does; the mark is diff's own.
  if (lines.at(-1) === "") lines.pop();
  else lines.push(`${lines.pop()}\n\\ No newline at end of file`);
  return lines;
}

function middle(before: readonly string[], after: readonly string[]): Edit[] {
  const furthest = new Map<number, number>([[1, 0]]);
  const trail: Map<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(before.length + after.length, maxEdits); edits += 1) {
    trail.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = down(furthest, diagonal, edits) ? at(furthest, diagonal + 1) : at(furthest, diagonal - 1) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return walkBack(before, after, trail);
    }
  }
  return [
    ...before.map((line): Edit => ({ sign: "-", line })),
    ...after.map((line): Edit => ({ sign: "+", line })),
  ];
}

const at = (furthest: ReadonlyMap<number, number>, diagonal: number): number => furthest.get(diagonal) ?? -1;

/** Whether the best way to this diagonal comes from above (an added line) rather than from the left. */
const down = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean =>
  diagonal === -edits || (diagonal !== edits && at(furthest, diagonal - 1) < at(furthest, diagonal + 1));

function walkBack(
  before: readonly string[],
  after: readonly string[],
  trail: readonly ReadonlyMap<number, number>[],
): Edit[] {
  const edits: Edit[] = [];
  let x = before.length;
  let y = after.length;
  for (let step = trail.length - 1; step >= 0; step -= 1) {
    const furthest = trail[step] ?? new Map<number, number>();
    const diagonal = x - y;
    const cameDown = down(furthest, diagonal, step);
    const from = cameDown ? diagonal + 1 : diagonal - 1;
    const fromX = step === 0 ? 0 : at(furthest, from);
    const fromY = step === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY && before[x - 1] === after[y - 1]) {
      x -= 1;
      y -= 1;
      edits.push({ sign: " ", line: before[x] ?? "" });
    }
    if (step === 0) break;
    if (cameDown) {
      y -= 1;
      edits.push({ sign: "+", line: after[y] ?? "" });
    } else {
      x -= 1;
      edits.push({ sign: "-", line: before[x] ?? "" });
    }
  }
  return edits.reverse();
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let oldLine = 1;
  let newLine = 1;
  let position = 0;
  while (position < edits.length) {
    if (edits[position]?.sign === " ") {
      position += 1;
      oldLine += 1;
      newLine += 1;
      continue;
    }
    const start = Math.max(0, position - contextLines);
    let end = position;
    let quiet = 0;
    for (let next = position; next < edits.length && quiet <= 2 * contextLines; next += 1) {
      quiet = edits[next]?.sign === " " ? quiet + 1 : 0;
      if (quiet === 0) end = next + 1;
    }
    const lines = edits.slice(start, Math.min(edits.length, end + contextLines));
    const oldCount = lines.filter((edit) => edit.sign !== "+").length;
    const newCount = lines.filter((edit) => edit.sign !== "-").length;
    const lead = position - start;
    hunks.push(
      `@@ -${range(oldLine - lead, oldCount)} +${range(newLine - lead, newCount)} @@\n` +
        lines.map((edit) => `${edit.sign}${edit.line}\n`).join(""),
    );
    oldLine += oldCount - lead;
    newLine += newCount - lead;
    position = start + lines.length;
  }
  return hunks;
}

/** An empty range is named by the line before it. */
const range = (start: number, count: number): string => `${count === 0 ? start - 1 : start},${count}`;

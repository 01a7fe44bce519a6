/** How many instructions were come to meanwhile: each is noted in a list, and so are few other things. */
export function steps(run: () => void): number {
  const { push } = Array.prototype;
  let count = 0;
  Array.prototype.push = function (...items: unknown[]) {
    count += 1;
    return push.apply(this, items);
  };
  try {
    run();
  } finally {
    Array.prototype.push = push;
  }
  return count;
}

/** The value of some work if it comes within `ms` milliseconds, otherwise `undefined`. The work itself goes on. */
export function within<Value>(work: Promise<Value>, ms: number): Promise<Value | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

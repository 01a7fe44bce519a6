/**
 * Brings an object's tables up to date: each step runs once, in order, all in one transaction. A step is never
 * changed after it was released; a change is a new step.
 *
 * @throws if the storage was written by a newer version of Tulle than this one, rather than guess at its form
 */
export function migrate(storage: DurableObjectStorage, steps: readonly string[]): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY)");
    const done = sql
      .exec<{ version: number }>("SELECT COALESCE(MAX(version), 0) AS version FROM migrations")
      .one().version;
    if (done > steps.length) {
      throw new Error(
        `Cannot open this object: its storage has form ${done}, this version of Tulle knows ${steps.length}`,
      );
    }
    steps.slice(done).forEach((step, index) => {
      sql.exec(step);
      sql.exec("INSERT INTO migrations (version) VALUES (?)", done + index + 1);
    });
  });
}

import type { KeyStore, StoredRing } from "./keyring.ts";

/** The key ring's place in the issuer's storage: all of a change, or nothing of it. */
export function keyStoreIn(storage: DurableObjectStorage): KeyStore {
  return {
    read: <T>(name: keyof StoredRing): T | null | undefined => {
      const [row] = storage.sql.exec<{ value: string }>("SELECT value FROM facts WHERE name = ?", name);
      return row && (JSON.parse(row.value) as T | null);
    },
    write: (facts: StoredRing): void => {
      storage.transactionSync(() => {
        for (const [name, value] of Object.entries(facts)) {
          storage.sql.exec(
            "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)",
            name,
            JSON.stringify(value),
          );
        }
      });
    },
  };
}

import { DurableObject } from "cloudflare:workers";

export interface Item {
  readonly good: string;
  readonly quantity: number;
}

/** An order that was begun: its name is the idempotency key of everything that is done for it. */
export interface Order {
  readonly id: string;
  readonly items: readonly Item[];
}

const mostOfOneGood = 99;

/** One shopper's cart, in SQLite. The mesh leaves Durable Objects alone: they belong to one worker. */
export class CartObject extends DurableObject {
  constructor(state: DurableObjectState, env: Cloudflare.Env) {
    super(state, env);
    state.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS items (good TEXT PRIMARY KEY, quantity INTEGER NOT NULL)",
    );
    state.storage.sql.exec("CREATE TABLE IF NOT EXISTS begun (id TEXT PRIMARY KEY)");
  }

  items(): Item[] {
    const rows = this.ctx.storage.sql.exec("SELECT good, quantity FROM items ORDER BY good");
    return rows.toArray().map((row) => ({ good: String(row.good), quantity: Number(row.quantity) }));
  }

  add(good: string): Item[] {
    this.ctx.storage.sql.exec(
      `INSERT INTO items VALUES (?, 1) ON CONFLICT (good) DO UPDATE SET quantity = min(quantity + 1, ${mostOfOneGood})`,
      good,
    );
    // What was charged for must be what is in the cart, so a changed cart is another order.
    this.ctx.storage.sql.exec("DELETE FROM begun");
    return this.items();
  }

  /** The order for what is in the cart. Asked again before {@link settle}, it is the same order, so that a second try charges nothing twice. */
  begin(): Order {
    const held = this.ctx.storage.sql.exec("SELECT id FROM begun").toArray()[0];
    const id = held === undefined ? crypto.randomUUID() : String(held.id);
    if (held === undefined) this.ctx.storage.sql.exec("INSERT INTO begun VALUES (?)", id);
    return { id, items: this.items() };
  }

  /** The order is paid and shipped: the cart is empty again. */
  settle(id: string): void {
    const { rowsWritten } = this.ctx.storage.sql.exec("DELETE FROM begun WHERE id = ?", id);
    if (rowsWritten > 0) this.ctx.storage.sql.exec("DELETE FROM items");
  }
}

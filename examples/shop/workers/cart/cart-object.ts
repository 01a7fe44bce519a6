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

/**
 * One shopper's cart. The mesh leaves Durable Objects alone: they belong to one worker. Nothing is stored for a
 * shopper who only looks.
 */
export class CartObject extends DurableObject {
  items(): readonly Item[] {
    return this.ctx.storage.kv.get<readonly Item[]>("items") ?? [];
  }

  add(good: string): readonly Item[] {
    const { kv } = this.ctx.storage;
    const items = this.items();
    const held = items.find((item) => item.good === good)?.quantity ?? 0;
    const others = items.filter((item) => item.good !== good);
    const item = { good, quantity: Math.min(held + 1, mostOfOneGood) };
    kv.put(
      "items",
      [...others, item].sort((a, b) => (a.good < b.good ? -1 : 1)),
    );
    // What was charged for must be what is in the cart, so a changed cart is another order.
    kv.delete("begun");
    return this.items();
  }

  /** The order for what is in the cart. Asked again before {@link settle}, it is the same order, so that a second try charges nothing twice. */
  begin(): Order {
    const { kv } = this.ctx.storage;
    const items = this.items();
    const held = kv.get<string>("begun");
    const id = held ?? crypto.randomUUID();
    if (held === undefined && items.length > 0) kv.put("begun", id);
    return { id, items };
  }

  /** The order is paid and shipped: the cart is empty again. */
  settle(id: string): void {
    const { kv } = this.ctx.storage;
    if (kv.get<string>("begun") !== id) return;
    kv.delete("begun");
    kv.delete("items");
  }
}

export interface Good {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly priceCents: number;
}

export interface Cart {
  readonly items: readonly { readonly good: string; readonly quantity: number }[];
}

/** How a checkout ended: all the cart worker said, and its status. */
export interface Outcome {
  readonly ok: boolean;
  readonly status: number;
  readonly body: {
    readonly order?: string;
    readonly payment?: { readonly version: string; readonly charge: string; readonly chargedBy?: string };
    readonly shipment?: {
      readonly shipment: string;
      readonly weightGrams: number;
      readonly orderedBy?: string;
    };
    readonly error?: string;
    readonly stoppedAt?: string;
    readonly status?: number;
    readonly answer?: unknown;
    /** Of a problem: the mesh answered in place of the cart. */
    readonly title?: string;
  };
}

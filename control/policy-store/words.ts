import type { Actor, ChangeAnswer, SyncAnswer } from "../api/contract.ts";
import type { ServiceView } from "./shelf.ts";

/** How a change ended. A conflict has changed nothing. */
export type ChangeOutcome =
  | { readonly kind: "answer"; readonly answer: ChangeAnswer }
  | { readonly kind: "conflict"; readonly revision: number; readonly detail: string }
  | { readonly kind: "missing"; readonly detail: string };

/** Who changes something, and why. */
export interface Authored {
  readonly actor: Actor;
  readonly reason: string;
}

/** What every report and join needs to know of the mesh. */
export interface MeshView {
  /** The head revision. */
  readonly epoch: number;
  /** Absent when the asker said that it knows this epoch's. */
  readonly services?: readonly ServiceView[];
}

/** What one service shall run. */
export interface Current {
  readonly spiffeId: string;
  readonly epoch: number;
  readonly digest: string;
  /** Absent while the issuer cannot sign. */
  readonly head?: string;
  /** Absent when the asker runs this digest already. */
  readonly snapshot?: string;
}

/** How far KV is behind. */
export interface StoreState {
  readonly revision: number;
  readonly documents: number;
  readonly unsignedHeads: number;
  readonly unpublishedHeads: number;
  /** When the first signed head expires, milliseconds since the Unix epoch; Infinity when there is none. */
  readonly headsExpireAt: number;
  readonly unwrittenDocuments: number;
  readonly invalid: SyncAnswer["invalid"];
}

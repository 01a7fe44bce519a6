import type { PolicyDocument, Written } from "../documents.ts";
import type { Issue } from "../issue.ts";

/*
 * A document may be in force that this version of Tulle refuses: an older one took it, or a newer one wrote it. It is
 * neither left out in silence, which could open what it closes, nor does it stop every other change. Of each kind
 * there is a way to let it close what it can no longer say, and that is what these words are for.
 */

/** A document in force that this version of Tulle refuses. */
export interface Refused {
  /** `kind/namespace/name`. */
  readonly document: string;
  /** Everything that is wrong with it, in the words of apply; at least one. */
  readonly issues: readonly Issue[];
  /** What holds until it is mended; a sentence. */
  readonly meanwhile: string;
  readonly route?: RefusedRules;
  readonly gateway?: RefusedListeners;
  readonly service?: RefusedService;
}

/** Of an HTTPRoute: which rules cannot be followed. */
export interface RefusedRules {
  /** Whether the whole route is refused, and why: all of its rules then. */
  readonly whole?: "UnsupportedValue" | "IncompatibleFilters";
  /** Why each rule is refused, by its index. */
  readonly rules: ReadonlyMap<number, string>;
}

/** Of a Gateway: which listeners cannot be listened at. */
export interface RefusedListeners {
  /** Why the whole Gateway is refused, if it is. */
  readonly whole?: string;
  readonly listeners: readonly RefusedListener[];
}

export interface RefusedListener {
  /** In the Gateway's list as it was written. */
  readonly index: number;
  readonly name: string;
  readonly reason: "UnsupportedProtocol" | "UnsupportedValue";
  readonly message: string;
  /** Whether it keeps its host and port, so that nobody else gets what was meant for it, and takes no route. */
  readonly isKept: boolean;
}

/** Of a Service: what is closed. */
export interface RefusedService {
  /** Nobody may call it, and nobody reaches it. */
  readonly isClosed: boolean;
  /** Which identity it has cannot be read: nobody is to be given one in its name, the one that it would have by default neither. */
  readonly isNameless?: true;
  /** Ports that speak what a worker cannot, and what that is. */
  readonly ports: ReadonlyMap<number, string>;
}

/** Documents that are refused, by `kind/namespace/name`. */
export type RefusedDocuments = ReadonlyMap<string, Refused>;

/** What is made of a document that is refused. */
export interface Salvaged {
  readonly refused: Refused;
  /** What holds in its place, as if somebody had written it; absent: nothing does. */
  readonly written?: Written;
  /** What its status is about, where that is not `written`: it holds for nobody. */
  readonly shown?: PolicyDocument;
}

/** What is known of a document that is refused. */
export interface Unreadable {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** As far as its text could be parsed; undefined: it is not even YAML. */
  readonly value: unknown;
  readonly issues: readonly Issue[];
  /** Names of all Services of its namespace. */
  readonly services: readonly string[];
}

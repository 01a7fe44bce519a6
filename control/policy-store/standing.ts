import { catalogOf } from "@tulle/mesh-runtime/policy/catalog.ts";
import { nameOf, type PolicyDocument } from "@tulle/mesh-runtime/policy/documents.ts";
import type { Refused, RefusedDocuments } from "@tulle/mesh-runtime/policy/refused/words.ts";
import { complaints } from "@tulle/mesh-runtime/policy/status/complaints.ts";
import { kindsWithStatus, type StatusOf, statuses } from "@tulle/mesh-runtime/policy/status/status.ts";
import type { Refusal, RefusedDocument, StoredDocument } from "../api/contract.ts";
import type { Judgement } from "./judgement.ts";
import type { Ledger } from "./ledger.ts";
import { documentName } from "./revision.ts";

/** A document in force that is not accepted, or refers to something that is not there. */
export interface Unsettled {
  /** `kind/namespace/name`. */
  readonly document: string;
  /** Such as `parent Gateway/public: Accepted is False (NoMatchingParent)`. */
  readonly what: string;
  /** Why, and what to do. */
  readonly message: string;
}

/** Some of those, and how many there are. */
export interface UnsettledList {
  readonly total: number;
  readonly first: readonly Unsettled[];
}

interface Known {
  readonly revision: number;
  readonly documents: ReadonlyMap<string, PolicyDocument>;
  readonly statusOf: StatusOf;
  readonly refused: RefusedDocuments;
}

const refusalOf = ({ issues, meanwhile }: Refused): Refusal => ({ issues, meanwhile });

/** What the documents in force have come to. Keeps what it read of the newest revision. */
export class Standing {
  readonly #ledger: Ledger;
  readonly #judgement: Judgement;
  #known: Known | undefined;

  constructor(ledger: Ledger, judgement: Judgement) {
    this.#ledger = ledger;
    this.#judgement = judgement;
  }

  /** The documents with their status, as far as their kinds have one, and with why they are refused, where they are. */
  of(documents: readonly StoredDocument[]): StoredDocument[] {
    const known = this.#current();
    const times = this.#ledger.times();
    return documents.map((stored) => {
      const name = documentName(stored);
      const document = known.documents.get(name);
      const at = times.get(stored.revision) ?? "";
      const status = document && known.statusOf(document, { generation: stored.revision, at });
      const refused = known.refused.get(name);
      return {
        ...stored,
        ...(status === undefined ? {} : { status }),
        ...(refused === undefined ? {} : { refused: refusalOf(refused) }),
      };
    });
  }

  /** The documents in force that this version of Tulle refuses. */
  refused(): readonly RefusedDocument[] {
    return [...this.#current().refused.values()].map((each) => ({
      document: each.document,
      ...refusalOf(each),
    }));
  }

  /** What an operator should look at. */
  unsettled(limit: number): UnsettledList {
    const documents = kindsWithStatus.flatMap((kind) => this.#ledger.documents({ kind }));
    const all = this.of(documents).flatMap((stored) =>
      complaints(stored.status ?? { parents: [] }).map(
        ({ of, condition: { type, status, reason, message } }) => ({
          document: documentName(stored),
          what: `${of === "" ? "" : `${of}: `}${type} is ${status} (${reason}).`,
          message,
        }),
      ),
    );
    return { total: all.length, first: all.slice(0, limit) };
  }

  #current(): Known {
    const revision = this.#ledger.revision();
    if (this.#known?.revision === revision) return this.#known;
    const { documents, refused, shown } = this.#judgement.inForce(this.#ledger.texts());
    const known = {
      revision,
      refused,
      documents: new Map([...documents, ...shown].map((document) => [nameOf(document), document])),
      statusOf: statuses(catalogOf(documents, { ages: this.#ledger.ages.all(), refused })),
    };
    this.#known = known;
    return known;
  }
}

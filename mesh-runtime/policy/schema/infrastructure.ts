import * as v from "valibot";
import { about, isWithin, optional, type Schema, strict, unsupported } from "./fields.ts";
import { texts } from "./texts.ts";

/** Gateway API `GatewayInfrastructure`: so many labels, and so many annotations. */
const most = 8;

/** The CRD's rules for keys; a key is at most 253 characters of domain, a slash and a name of 63. */
const key =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\/)?(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,61})?[A-Za-z0-9]$/;
const longestKey = 252 + 1 + 63;

const labelValue = /^(?:(?:[A-Za-z0-9][A-Za-z0-9_.-]*)?[A-Za-z0-9])?$/;

/** What the values of a map of texts are. */
interface Values {
  readonly expects: string;
  readonly longest: number;
  readonly pattern?: RegExp;
}

/** Texts by name, as the CRD bounds them. */
const bounded = ({ expects, longest, pattern }: Values): Schema<Readonly<Record<string, string>>> =>
  v.pipe(
    texts(),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const given = Object.entries(dataset.value);
      if (given.length > most) addIssue({ expected: `at most ${most}`, received: `${given.length}` });
      for (const [name, value] of given) {
        const path = [
          { type: "object", origin: "value", input: dataset.value, key: name, value },
        ] as const satisfies v.IssuePathItem[];
        if (!isKey(name))
          addIssue({
            expected: 'a key such as "app" or "example.com/app"',
            received: name.slice(0, 80),
            path: [...path],
          });
        else if (!isWithin(value, longest) || pattern?.test(value) === false)
          addIssue({ expected: expects, received: value.slice(0, 80), path: [...path] });
      }
    }),
  );

const isKey = (name: string): boolean =>
  name.length <= longestKey && name.indexOf("/") < 253 && key.test(name);

/**
 * What a Gateway wants of the things that are made for it. Nothing is made here, so labels and annotations are read for
 * their form alone, and a warning says so.
 */
export const infrastructure = strict({
  labels: about(
    optional(
      bounded({
        expects:
          "at most 63 letters, digits, hyphens, underscores and dots that begin and end with a letter or digit",
        longest: 63,
        pattern: labelValue,
      }),
    ),
    "At most 8. No effect here: wrangler deploys workers, and a warning says so.",
  ),
  annotations: about(
    optional(bounded({ expects: "a text of at most 4096 characters", longest: 4_096 })),
    "At most 8. No effect here: wrangler deploys workers, and a warning says so.",
  ),
  parametersRef: unsupported(
    "not supported: a worker is deployed by wrangler and has its parameters there; remove it, and name the worker in the annotation mesh.tulle.dev/worker",
  ),
});

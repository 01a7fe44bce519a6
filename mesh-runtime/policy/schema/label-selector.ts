import { about, checked, choice, type Fault, list, optional, strict, text } from "./fields.ts";
import { texts } from "./texts.ts";

const requirement = checked(
  strict({
    key: about(
      text("the name of a label", /^[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?$/, 317),
      "Name of the label.",
    ),
    operator: about(
      choice(["In", "NotIn", "Exists", "DoesNotExist"]),
      "`In`, `NotIn`: its value is, or is not, among `values`; a namespace without the label fits `NotIn`.",
    ),
    values: about(
      optional(
        list(text("the value of a label", /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/, 63), 0, 64),
      ),
      "With `In` and `NotIn` alone.",
    ),
  }),
  function* ({ operator, values = [] }): Generator<Fault> {
    const wanted = operator === "In" || operator === "NotIn";
    if (wanted === values.length > 0) return;
    yield {
      path: ["values"],
      expected: wanted ? `at least one value with ${operator}` : `no values with ${operator}`,
      found: wanted ? "none" : `${values.length}`,
      message: wanted
        ? `${operator} compares with values; name one`
        : `${operator} looks at the name alone; remove values`,
    };
  },
);

/** Kubernetes' `LabelSelector`: everything in it must hold; an empty one fits everything. */
export const labelSelector = strict({
  matchLabels: about(optional(texts()), "Labels that must be there, with their values."),
  matchExpressions: about(optional(list(requirement, 0, 64)), "What else must hold of the labels."),
});

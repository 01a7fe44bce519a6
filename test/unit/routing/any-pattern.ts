import fc from "fast-check";

/** Arbitrary regular expressions in RE2 syntax, and texts from so few parts that they often fall under them. */

const atom = fc.constantFrom(
  ..."abk0/_-:é",
  ...["😀", "\u017f", " ", "."],
  ...["\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\pL", "\\PL", "\\p{Lu}", "\\p{Greek}"],
  ...["[ab]", "[^a]", "[a-z0-9]", "[[:alpha:]]", "[[:^digit:]]", "[\\w-]", "[^\\n]", "[]a]", "[^]a]"],
  ...["\\x61", "\\x{1F600}", "\\n", "\\.", "\\Q.+\\E", "\\t", "\\141"],
  ...["^", "$", "\\b", "\\B", "\\A", "\\z", "(?m:^)", "(?m:$)", "(?s:.)", "(?i:k)", "(?i:ß)", "(?i:[j-l])"],
);

const times = fc.constantFrom(
  "",
  "",
  "?",
  "*",
  "+",
  "{2}",
  "{0,2}",
  "{1,}",
  "??",
  "*?",
  "+?",
  "{0}",
  "{1,3}?",
);

export const anyPattern: fc.Arbitrary<string> = fc.letrec<{ all: string; part: string; item: string }>(
  (tie) => ({
    all: fc
      .tuple(
        fc.constantFrom("", "", "(?i)", "(?s)", "(?m)", "^", "/a"),
        tie("part"),
        fc.constantFrom("", "$", "\\b"),
      )
      .map((parts) => parts.join("")),
    part: fc
      .array(
        fc.array(tie("item"), { maxLength: 4 }).map((items) => items.join("")),
        { minLength: 1, maxLength: 3 },
      )
      .map((alternatives) => alternatives.join("|")),
    item: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { arbitrary: fc.tuple(atom, times).map(([one, count]) => repeated(one, count)), weight: 3 },
      {
        arbitrary: fc
          .tuple(fc.constantFrom("(", "(?:", "(?P<n>", "(?i:", "(?s:"), tie("part"), times)
          .map(([opening, part, count]) => `${opening.replace("P<n>", ":")}${part})${count}`),
        weight: 1,
      },
    ),
  }),
).all;

/** What stands at a place and not for a character is grouped before it is repeated. */
const repeated = (atom: string, times: string): string =>
  times !== "" && /^(?:\^|\$|\\[bBAz]|\\Q)/.test(atom) ? `(?:${atom})${times}` : `${atom}${times}`;

const pieces = [..."abkAK0/_-:.+ é😀ß", "\n", "\u017f", "\u212a", "\ud83d", "Σ", "\t"];

export const anyText: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom("", "", "/a"), fc.array(fc.constantFrom(...pieces), { maxLength: 8 }))
  .map(([begin, all]) => begin + all.join(""));

import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { withCreation } from "../../cli/document-status.ts";

const created = "2026-02-03T04:05:06.789Z";

/** What a text says once it is printed. */
const printed = (text: string): unknown => parse(withCreation(text, created)).metadata;

describe("a document that is printed", () => {
  test("says when it was created, and is otherwise as it was written", () => {
    const text = "# payments\nkind: Service\nmetadata:\n  # its name\n  name: payments # really\nspec: {}\n";
    expect(withCreation(text, created)).toBe(
      `# payments\nkind: Service\nmetadata:\n  # its name\n  creationTimestamp: "${created}"\n  name: payments # really\nspec: {}\n`,
    );
  });

  test.each([
    ["in flow style", "{kind: Service, metadata: {name: a, labels: {b: c}}, spec: {}}\n"],
    ["in JSON", '{"kind": "Service", "metadata": {"name": "a", "labels": {"b": "c"}}}'],
    ["indented as a whole", "  kind: Service\n  metadata:\n      name: a\n      labels: {b: c}\n"],
    ["with a quoted name first", 'kind: Service\nmetadata:\n  "name": a\n  labels:\n    b: c\n'],
    ["with a marker", "---\nkind: Service\nmetadata: { labels: { b: c }, name: a }\n"],
  ])("%s says it in its own style", (_style, text) => {
    expect(printed(text)).toEqual({ name: "a", labels: { b: "c" }, creationTimestamp: created });
  });

  test.each([
    ["a time", 'metadata:\n  creationTimestamp: "2020-01-01T00:00:00Z" # from a cluster\n  name: a\n'],
    ["a time without quotes", "metadata: {name: a, creationTimestamp: 2020-01-01T00:00:00Z}\n"],
    ["nothing", "metadata:\n  name: a\n  creationTimestamp: null\nspec: {}\n"],
  ])("says the true time where the text says %s", (_what, text) => {
    expect(printed(text)).toEqual({ name: "a", creationTimestamp: created });
  });

  test("that says the true time already stays as it is to the last character", () => {
    const text = `metadata: {   name: a, creationTimestamp: ${created} } # so\n`;
    expect(withCreation(text, created)).toBe(text);
  });

  test.each(["", "metadata: none\n", "metadata:\n", "a: 1\n---\nb: 2\n", "}{"])(
    "that has no place for it stays as it is: %j",
    (text) => {
      expect(withCreation(text, created)).toBe(text);
    },
  );
});

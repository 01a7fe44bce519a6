import * as v from "valibot";
import { type Schema, value } from "./fields.ts";

/** Texts by name. */
export const texts = (): Schema<Readonly<Record<string, string>>> => {
  const item = value<string>(
    "a text",
    (input) => typeof input === "string",
    () => "write it in quotes",
  );
  return {
    ...v.record(v.string(), item),
    expects: "an object of texts",
    message: () => "",
  } as unknown as Schema<Readonly<Record<string, string>>>;
};

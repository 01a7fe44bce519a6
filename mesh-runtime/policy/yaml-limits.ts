import { type CST, Lexer, Parser } from "yaml";
import { no, ok, type Result } from "../foundation/result.ts";
import { shown } from "./source.ts";

/** Largest text that is parsed, bytes of UTF-8. A document takes about 500. */
export const maxTextBytes = 1_000_000;
/**
 * Most tokens in a text, of which a bracket or a `- ` counts as two. It is tokens that cost time and memory, not bytes: an
 * ordinary megabyte has 250,000 to 430,000 (measured with Services, routes, and rules as JSON), one of nothing but brackets
 * or empty items three times as many, and took six seconds and hundreds of megabytes, more than an isolate has.
 */
export const maxTokens = 450_000;
/** Most tokens in all texts of one change, whose request has two megabytes. */
export const maxTokensOfChange = 2 * maxTokens;
/** Most documents in one text, and in one change. */
export const maxDocuments = 10_000;
/** Most errors that are told of one text; one that has more is no YAML. */
export const maxErrors = 100;
/** Deepest nesting of brackets. An HTTPRoute needs 9. */
const maxFlowDepth = 64;
/** Widest indentation of a line, which bounds how deep blocks can nest. */
const maxIndentation = 128;
/** Most `- ` and `? ` on one line, each of which nests. */
const maxIndicators = 16;
/** Most anchors in a text, each of which may stand for others. */
const maxAnchors = 1_000;
/** Most aliases in a text, those of merge keys among them. */
const maxAliases = 10_000;
/** Most characters that the aliases of a text may come to, written out: as much again as the largest text has. */
export const maxWrittenOut = 1_000_000;
/** Deepest nesting of a document whose aliases are written out; a text alone cannot be deeper than its brackets and indentation. */
export const maxExpandedDepth = 256;

/** What the lexer puts before the text of a scalar that is not quoted. */
const scalarMark = "\u001f";
/** What it says where a document begins, and where brackets end that were never closed. */
const documentStart = "\u0002";
const flowBroken = "\u0018";

/** A limit that a text exceeds, and the line on which it does. */
export interface Excess {
  readonly line: number;
  readonly expected: string;
  readonly found: string;
}

/** How many tokens the texts of a change may still have. */
export interface Room {
  tokens: number;
}

/** The room of one change. */
export const roomOfChange = (): Room => ({ tokens: maxTokensOfChange });

/**
 * Reads a text into YAML tokens within limits, so that nothing that comes after can be made to use
 * unbounded stack or time: the `yaml` package composes nested collections by recursion (ten thousand
 * brackets abort the runtime) and finds the anchor of an alias by a walk.
 *
 * @param onLine told the offset of each line
 * @param room what is left for this text and those that follow it; absent: tokens are not counted
 */
export function tokensWithin(
  text: string,
  onLine: (offset: number) => void,
  room?: Room,
): Result<readonly CST.Token[], Excess> {
  const bytes = text.length > maxTextBytes ? text.length : new TextEncoder().encode(text).length;
  if (bytes > maxTextBytes) {
    return no({ line: 1, expected: `at most ${maxTextBytes} bytes`, found: `${bytes} bytes` });
  }
  const watch = watcher(room);
  const parser = new Parser(onLine);
  const tokens: CST.Token[] = [];
  onLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    const excess = watch(lexeme);
    if (excess !== undefined) return no(excess);
    tokens.push(...parser.next(lexeme));
  }
  tokens.push(...parser.end());
  return ok(tokens);
}

/** Follows the structure of a text lexeme by lexeme, and says when it goes too far. */
function watcher(room: Room | undefined): (lexeme: string) => Excess | undefined {
  let line = 1;
  let previous = "\n";
  let [flowDepth, indentation, indicators, anchors, aliases] = [0, 0, 0, 0, 0];
  let tokens = 0;

  const beyond = (what: string, limit: number, found: number): Excess | undefined =>
    found > limit ? { line, expected: `at most ${limit} ${what}`, found: `${found} or more` } : undefined;

  function count(lexeme: string): Excess | undefined {
    if (room === undefined) return undefined;
    const by = lexeme === "[" || lexeme === "{" || lexeme === "-" ? 2 : 1;
    tokens += by;
    room.tokens -= by;
    return room.tokens < 0
      ? beyond("YAML tokens in one change", maxTokensOfChange, maxTokensOfChange + 1)
      : beyond("YAML tokens", maxTokens, tokens);
  }

  function judge(lexeme: string): Excess | undefined {
    if (previous === scalarMark || blank(lexeme)) return undefined;
    if (lexeme === documentStart || lexeme === flowBroken) flowDepth = 0;
    if (lexeme === "]" || lexeme === "}") flowDepth = Math.max(0, flowDepth - 1);
    if (lexeme === "[" || lexeme === "{") return beyond("nested brackets", maxFlowDepth, ++flowDepth);
    if (lexeme.startsWith("&")) return beyond("anchors", maxAnchors, ++anchors);
    if (lexeme.startsWith("*")) return beyond("aliases", maxAliases, ++aliases);
    if (lexeme.startsWith("%")) return { line, expected: "no directive", found: shown(lexeme) };
    if (flowDepth === 0 && indentation > maxIndentation) {
      return beyond("spaces of indentation", maxIndentation, indentation);
    }
    if (lexeme !== "-" && lexeme !== "?") return undefined;
    return beyond(`"${lexeme}" on one line`, maxIndicators, ++indicators);
  }

  return (lexeme) => {
    const excess = count(lexeme) ?? judge(lexeme);
    const last = lexeme.lastIndexOf("\n");
    if (last !== -1) {
      [indentation, indicators] = [0, 0];
      line += lexeme.split("\n").length - 1;
    } else if (previous.endsWith("\n") && blank(lexeme)) indentation = lexeme.length;
    previous = lexeme;
    return excess;
  };
}

const blank = (lexeme: string): boolean => lexeme.startsWith("#") || lexeme.trim() === "";

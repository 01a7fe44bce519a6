import { styleText } from "node:util";

/** The few looks that are used; what each means is the same everywhere. */
export type Look = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Puts a look on a text, or returns it as it is where colours are not wanted. */
export type Paint = (look: Look, text: string) => string;

/** Where a command writes. */
export interface Terminal {
  /** Results: one line or several, without the last line break. */
  readonly out: (text: string) => void;
  /** Results for programs: byte by byte as they are, except on a terminal. */
  readonly exact: (text: string) => void;
  /** Notes, issues and errors, so that results can be piped. */
  readonly note: (text: string) => void;
  readonly paint: Paint;
  readonly paintNote: Paint;
  /** Columns of the results' side; a fixed width where it is no terminal. */
  readonly width: number;
  /** Whether somebody watches the notes. */
  readonly watched: boolean;
  readonly stdin: () => Promise<string>;
}

const widthOfPipe = 110;

/** The process's own streams. Colours only where a stream is a terminal and `NO_COLOR` is unset or empty. */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  const paintFor = (stream: NodeJS.WriteStream): Paint => {
    const colours = stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
    return (look, text) => (colours ? styleText(look, text, { validateStream: false }) : text);
  };
  return {
    out: (text) => process.stdout.write(`${printable(text)}\n`),
    exact: (text) => {
      const whole = text.endsWith("\n") ? text : `${text}\n`;
      process.stdout.write(process.stdout.isTTY ? printable(whole) : whole);
    },
    note: (text) => process.stderr.write(`${printable(text)}\n`),
    paint: paintFor(process.stdout),
    paintNote: paintFor(process.stderr),
    width: process.stdout.isTTY ? Math.max(60, process.stdout.columns ?? widthOfPipe) : widthOfPipe,
    watched: process.stderr.isTTY === true,
    stdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString("utf8");
    },
  };
}

const escapeCharacter = "\u001b";

/**
 * Makes control characters visible, but for line breaks, tabs and colours. Span names and the like come
 * from whoever calls the mesh, and a terminal obeys what it is sent (CWE-150); the characters that turn
 * the direction of writing would make a text read as another (CVE-2021-42574).
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character, at: number) => {
    if (character === "\n" || character === "\t" || text.startsWith("\r\n", at)) return character;
    if (character === escapeCharacter && /^\[[0-9;]{1,8}m/.test(text.slice(at + 1, at + 11)))
      return character;
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}

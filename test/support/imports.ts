import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vitest/node";

/** The repository's root, absolute. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** One mention of another module in a source file. */
export interface Import {
  /** The text between the quotes. */
  readonly specifier: string;
  /** Whether nothing of it is left at run time: `import type`, `export type`, `import("…")` in a type. */
  readonly typeOnly: boolean;
  /** 1-based. */
  readonly line: number;
}

const skipped = new Set(["node_modules", "dist", ".git", ".wrangler", ".tulle", "vectors"]);

/**
 * Every TypeScript source of the repository below a folder.
 * @param folder relative to the root
 * @returns paths relative to the root, with forward slashes, in order
 */
export function sourcesIn(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const child = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) found.push(...sourcesIn(child));
    } else if (/\.[cm]?tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts")) {
      found.push(child);
    }
  }
  return found.sort();
}

/**
 * Every module that a source names: static, dynamic, re-exported, and in types. Read from the syntax
 * tree (vitest's own parser), so comments, strings and templates that look like imports are none.
 * @throws for `import(x)` and `require(x)` whose target is not written out, since no guard could judge it
 */
export function importsOf(text: string, name: string): Import[] {
  const found: Import[] = [];
  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length;
  const note = (source: unknown, typeOnly: boolean, at: Node): void => {
    const literal = source as { readonly type?: string; readonly value?: unknown } | null | undefined;
    if (typeof literal?.value !== "string") {
      throw new Error(`${name}:${lineOf(at.start)}: the imported module must be written as a plain string`);
    }
    found.push({ specifier: literal.value, typeOnly, line: lineOf(at.start) });
  };
  walk(parseAst(text, { lang: name.endsWith("x") ? "tsx" : "ts" }) as unknown as Node, (node) => {
    switch (node.type) {
      case "ImportDeclaration":
        note(node.source, node.importKind === "type", node);
        break;
      case "ExportAllDeclaration":
        note(node.source, node.exportKind === "type", node);
        break;
      case "ExportNamedDeclaration":
        if (node.source) note(node.source, node.exportKind === "type", node);
        break;
      case "ImportExpression":
        note(node.source, false, node);
        break;
      case "TSImportType":
        note(node.source ?? node.argument, true, node);
        break;
      case "TSExternalModuleReference":
        note(node.expression, false, node);
        break;
      case "CallExpression":
        if (isRequire(node.callee)) note((node.arguments as unknown[])[0], false, node);
        break;
    }
  });
  return found;
}

const read = new Map<string, readonly Import[]>();

/** {@link importsOf} for a file of the repository, by its path relative to the root. Read once a run. */
export function importsOfFile(file: string): readonly Import[] {
  const held = read.get(file) ?? importsOf(readFileSync(path.join(root, file), "utf8"), file);
  read.set(file, held);
  return held;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [member: string]: unknown;
}

const isRequire = (callee: unknown): boolean => {
  const node = callee as { readonly type?: string; readonly name?: string } | null;
  return node?.type === "Identifier" && node.name === "require";
};

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
  } else if (value !== null && typeof value === "object") {
    const node = value as Node;
    if (typeof node.type === "string") visit(node);
    for (const member of Object.values(node)) walk(member, visit);
  }
}

import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "smol-toml";

/** What a mesh in one workerd needs of a `wrangler.toml`. */
export interface WorkerConfig {
  readonly name: string;
  /** Absolute path of the entry module. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** Module aliases; relative targets are absolute here. */
  readonly alias: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, unknown>>;
  /** Binding to namespace id. */
  readonly kv: Readonly<Record<string, string>>;
  readonly durableObjects: Readonly<Record<string, DurableObjectConfig>>;
  readonly services: Readonly<Record<string, ServiceConfig>>;
}

export interface DurableObjectConfig {
  readonly className: string;
  readonly scriptName?: string;
  readonly useSQLite: boolean;
}

export interface ServiceConfig {
  readonly name: string;
  readonly entrypoint?: string;
  readonly props?: Readonly<Record<string, unknown>>;
}

/** Keys that mean nothing for a local run. Any other key that is not read below is an error: nothing is ignored in silence. */
const withoutLocalMeaning = new Set([
  "$schema",
  "account_id",
  "logpush",
  "observability",
  "placement",
  "preview_urls",
  "routes",
  "send_metrics",
  "triggers",
  "upload_source_maps",
  "workers_dev",
]);

const read = new Set([
  "name",
  "main",
  "compatibility_date",
  "compatibility_flags",
  "alias",
  "vars",
  "kv_namespaces",
  "durable_objects",
  "migrations",
  "services",
]);

type Table = Readonly<Record<string, unknown>>;

/**
 * Reads a `wrangler.toml` without wrangler, whose import alone takes longer than a mesh may take to start.
 * @throws Error when the file cannot be read, lacks `name` or `main`, or uses a key that a local mesh does not know
 */
export function readWranglerConfig(file: string): WorkerConfig {
  const config: Table = parse(readFileSync(file, "utf8"));
  const unknown = Object.keys(config).filter((key) => !read.has(key) && !withoutLocalMeaning.has(key));
  if (unknown.length > 0) {
    throw new Error(
      `${file}: a local mesh does not know ${unknown.join(", ")}; known are ${[...read].join(", ")}`,
    );
  }
  const folder = path.dirname(path.resolve(file));
  const name = text(config.name, `${file}: name`);
  const sqlite = new Set(rows(config.migrations).flatMap((migration) => list(migration.new_sqlite_classes)));
  return {
    name,
    main: path.resolve(folder, text(config.main, `${file}: main`)),
    compatibilityDate: text(config.compatibility_date, `${file}: compatibility_date`),
    compatibilityFlags: list(config.compatibility_flags),
    alias: mapped(table(config.alias), (target) => absolute(folder, String(target))),
    vars: table(config.vars),
    kv: Object.fromEntries(
      rows(config.kv_namespaces).map((kv) => [String(kv.binding), String(kv.id ?? kv.binding)]),
    ),
    durableObjects: Object.fromEntries(
      rows(table(config.durable_objects).bindings).map((object) => {
        const className = String(object.class_name);
        const scriptName = object.script_name === undefined ? {} : { scriptName: String(object.script_name) };
        return [String(object.name), { className, ...scriptName, useSQLite: sqlite.has(className) }];
      }),
    ),
    services: Object.fromEntries(
      rows(config.services).map((service) => [String(service.binding), serviceOf(service)]),
    ),
  };
}

function serviceOf(service: Table): ServiceConfig {
  return {
    name: String(service.service),
    ...(service.entrypoint === undefined ? {} : { entrypoint: String(service.entrypoint) }),
    ...(service.props === undefined ? {} : { props: table(service.props) }),
  };
}

const absolute = (folder: string, target: string): string =>
  target.startsWith(".") ? path.resolve(folder, target) : target;

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${what} must be a text that is not empty`);
}

const table = (value: unknown): Table =>
  typeof value === "object" && value !== null ? (value as Table) : {};
const rows = (value: unknown): readonly Table[] => (Array.isArray(value) ? value.map(table) : []);
const list = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

function mapped<Value>(from: Table, to: (value: unknown) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
}

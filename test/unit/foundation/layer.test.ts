import { expect, test } from "vitest";
import { journey, layer } from "../../../mesh-runtime/foundation/layer.ts";
import { no, ok, type Result } from "../../../mesh-runtime/foundation/result.ts";

interface Start {
  readonly path: string;
}
interface Named {
  readonly name: string;
}
type Inner = Result<string, string>;

const order: string[] = [];

const noting = (name: string) =>
  layer<object, object, Inner>(name, (next) => async (exchange) => {
    order.push(`${name} in`);
    const answer = await next(exchange);
    order.push(`${name} out`);
    return answer;
  });

const named = layer<Start, Named, Inner>(
  "named",
  (next) => (exchange) => next({ ...exchange, name: exchange.path.slice(1) }),
);

test("a journey goes through its layers from the outermost inward and back again", async () => {
  order.length = 0;
  const step = journey<Start, Inner>()
    .through(noting("first"))
    .through(noting("second"))
    .to(async () => {
      order.push("handler");
      return ok("done");
    });
  expect(await step({ path: "/" })).toEqual(ok("done"));
  expect(order).toEqual(["first in", "second in", "handler", "second out", "first out"]);
});

test("a journey tells the names of its layers, outermost first", () => {
  expect(journey<Start, Inner>().layers).toEqual([]);
  expect(journey<Start, Inner>().through(noting("first")).through(named).layers).toEqual(["first", "named"]);
});

test("what a layer adds is known to the layers and the step below it, beside what was known before", async () => {
  const step = journey<Start, Inner>()
    .through(named)
    .to(async (exchange) => ok(`${exchange.path} ${exchange.name}`));
  expect(await step({ path: "/ann" })).toEqual(ok("/ann ann"));
});

test("a layer that refuses keeps the rest of the journey from running", async () => {
  let ran = false;
  const shut = layer<Start, object, Inner>("shut", () => async () => no("closed"));
  const step = journey<Start, Inner>()
    .through(shut)
    .to(async () => {
      ran = true;
      return ok("done");
    });
  expect(await step({ path: "/" })).toEqual(no("closed"));
  expect(ran).toBe(false);
});

test("a layer may answer another type than the rest below it", async () => {
  const rescued = layer<object, object, Inner, string>("rescued", (next) => async (exchange) => {
    const answer = await next(exchange);
    return answer.ok ? answer.value : `refused: ${answer.reason}`;
  });
  const step = journey<Start, string>()
    .through(rescued)
    .through(named)
    .to(async ({ name }) => (name === "ann" ? ok("hello ann") : no(`no ${name}`)));
  expect(await step({ path: "/ann" })).toBe("hello ann");
  expect(await step({ path: "/bob" })).toBe("refused: no bob");
});

test("a layer may go through the rest more than once, each time with an exchange of its own", async () => {
  const twice = layer<Start, { readonly attempt: number }, Inner>("twice", (next) => async (exchange) => {
    const first = await next({ ...exchange, attempt: 1 });
    return first.ok ? first : next({ ...exchange, attempt: 2 });
  });
  const seen: number[] = [];
  const step = journey<Start, Inner>()
    .through(twice)
    .to(async ({ attempt }) => {
      seen.push(attempt);
      return attempt === 2 ? ok("second") : no("first");
    });
  expect(await step({ path: "/" })).toEqual(ok("second"));
  expect(seen).toEqual([1, 2]);
});

test("one journey serves many exchanges at the same time without mixing them", async () => {
  const step = journey<Start, Inner>()
    .through(named)
    .to(async ({ name }) => {
      await Promise.resolve();
      return ok(name);
    });
  const names = Array.from({ length: 20 }, (_, index) => `caller-${index}`);
  const answers = await Promise.all(names.map((name) => step({ path: `/${name}` })));
  expect(answers).toEqual(names.map((name) => ok(name)));
});

test("extending a journey leaves the one that it came from as it was", async () => {
  const base = journey<Start, Inner>().through(noting("base"));
  const longer = base.through(noting("more"));
  expect(base.layers).toEqual(["base"]);
  expect(longer.layers).toEqual(["base", "more"]);
});

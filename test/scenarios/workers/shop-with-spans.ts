import { SpanStatusCode, trace } from "@opentelemetry/api";

/** An application that opens spans of its own, as it would without any mesh. */
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    trace.getActiveSpan()?.setAttribute("shop.page", pathname);
    return trace.getTracer("shop").startActiveSpan("price the cart", async (span) => {
      span.setAttribute("cart.items", 3);
      const [price] = await Promise.all([fetch(`http://payments${pathname}`), rate()]);
      if (!price.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: "no price" });
      span.end();
      return price;
    });
  },
} satisfies ExportedHandler;

/** Nests one deeper, and waits, so that two branches of the request run at once. */
const rate = (): Promise<void> =>
  trace.getTracer("shop").startActiveSpan("look up the rate", async (span) => {
    await scheduler.wait(5);
    await fetch("http://rates/");
    span.end();
  });

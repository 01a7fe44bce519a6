/** The part of Deno's global that the adapter uses. */
declare const Deno: {
  serve(
    options: {
      port: number;
      hostname: string;
      signal?: AbortSignal;
      onListen(address: { hostname: string; port: number }): void;
    },
    handler: (request: Request) => Promise<Response>,
  ): { readonly finished: Promise<void>; shutdown(): Promise<void> };
  readonly env: { get(name: string): string | undefined };
};

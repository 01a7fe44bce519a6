import type { FetchDocument } from "../../foundation/ports.ts";

/** Fetches documents with the platform's own `fetch`. A redirect comes back as it is: policy names one address, not where that leads. */
export const documentsOver =
  (platform: typeof fetch): FetchDocument =>
  (address, { headers, signal }) =>
    platform(address, { headers, signal, redirect: "manual" });

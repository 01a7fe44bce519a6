import { defaults, type Options } from "./options.ts";

interface Places {
  readonly gatewayUrl: string;
  readonly controlUrl: string;
  readonly tokenFile: string;
  /** Whether the shipping service runs. */
  readonly shipping: boolean;
}

/** What a newcomer reads when everything is up. Every line of it can be pasted as it is. */
export function greeting(options: Options, { gatewayUrl, controlUrl, tokenFile, shipping }: Places): string {
  const tulle = ["npx tulle"];
  if (options.controlPort !== defaults.controlPort) tulle.push(`--url ${controlUrl}`);
  if (options.state !== defaults.state) tulle.push(`--token-file '${tokenFile}'`);
  const cli = tulle.join(" ");
  return `
The mesh is up.

  shop      ${gatewayUrl}
  control   ${controlUrl}
  shipping  ${shipping ? "runs on Deno and has joined over HTTP" : "does not run: its lines above say why, or Deno is not installed"}

Three things to try, each in another terminal:

  ${cli} status
  curl -X PUT '${gatewayUrl}/demo/payments-v2/switch?fail=1'
  ${cli} apply -f examples/shop/policies-variants/payments-50-50.yaml

Ctrl-C stops everything. State is kept in ${options.state}/; npm start -- --fresh forgets it.
`;
}

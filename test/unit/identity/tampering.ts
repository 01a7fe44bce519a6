import { nowS, type Signed, self, signedMessage, type World } from "./fixture.ts";

/** Changes a message in place, or says what of it is to be other. */
export type Change = (message: Signed) => Partial<Signed> | undefined;

/** A signed message with one thing changed afterwards. */
export async function tampered(world: World, change: Change): Promise<Signed> {
  const signed = await signedMessage(world);
  return { ...signed, ...change(signed) };
}

export const header =
  (name: string, text: string): Change =>
  (message) => {
    message.headers.set(name, text);
    return undefined;
  };

export const without =
  (name: string): Change =>
  (message) => {
    message.headers.delete(name);
    return undefined;
  };

/** What a message of the fixture covers. */
export const components = '"@method" "@request-target" "content-type" "tulle-hops" "workload-identity-token"';

/** The signature base of a message of the fixture, without its last line. */
export const baseOf = (world: World, message: Signed): string =>
  [
    `"@method": ${message.method}`,
    '"@request-target": /charge?amount=3&note=',
    '"content-type": application/json',
    '"tulle-hops": 1',
    `"workload-identity-token": ${world.credential.wit}`,
  ].join("\n");

/** The parameters of a proof made now for us, with some of them replaced. */
export const parametersWith = ({
  covered = components,
  created = nowS,
  expires = nowS + 30,
  audience = self,
} = {}): string =>
  `(${covered});created=${created};expires=${expires};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${audience}"`;

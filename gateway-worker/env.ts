/** What the gateway worker is configured with, beside the bindings to control and to services. */
export interface GatewayEnv {
  /** Largest request body that is let in, bytes. @default "10485760" */
  readonly MAX_BODY_BYTES?: string;
  /** Largest request header section, names and values together, bytes. @default "32768" */
  readonly MAX_HEADER_BYTES?: string;
}

/** Limits of what is let in, bytes. */
export interface Limits {
  readonly bodyBytes: number;
  readonly headerBytes: number;
}

/** Above this a body could not pass through a worker's memory if anything had to buffer it. */
const mostBodyBytes = 100 * 1_048_576;
const mostHeaderBytes = 131_072;

/** Reads the limits; a value that is no positive whole number, or too great, is a misconfiguration and throws. */
export function limitsOf(env: GatewayEnv): Limits {
  return {
    bodyBytes: bytes("MAX_BODY_BYTES", env.MAX_BODY_BYTES ?? "10485760", mostBodyBytes),
    headerBytes: bytes("MAX_HEADER_BYTES", env.MAX_HEADER_BYTES ?? "32768", mostHeaderBytes),
  };
}

function bytes(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= most) return value;
  throw new RangeError(
    `The variable ${name} must be a whole number from 1 to ${most}, found ${JSON.stringify(text)}`,
  );
}

/** Whether a method falls under a method match; absent matches every method. Methods are case-sensitive (RFC 9110, 9.1). */
export const methodMatches = (wanted: string | undefined, method: string): boolean =>
  wanted === undefined || wanted === method;

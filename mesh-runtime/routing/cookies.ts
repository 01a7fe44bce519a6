/** Cookie headers beyond this are not looked through, characters: browsers stop at half of it. */
const maxLength = 16_384;

/** The values of every cookie of a name, in the order of the header (RFC 6265 §5.4: several may have one name). */
export function cookieValues(header: string | null, name: string): readonly string[] {
  if (header === null || header.length > maxLength || !header.includes(name)) return [];
  return header.split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at > 0 && pair.slice(0, at).trim() === name ? [unquoted(pair.slice(at + 1).trim())] : [];
  });
}

const unquoted = (value: string): string =>
  value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;

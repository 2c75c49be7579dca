const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const MASK = 0xffffffffffffffffn;

/**
 * FNV-1a over the UTF-16 code units of a text, 64 bits. For names and addresses that must come out the same every
 * time; it protects nothing. Source: draft-eastlake-fnv.
 */
export function fnv1a64(text: string): bigint {
  let hash = OFFSET;
  for (let index = 0; index < text.length; index += 1) {
    hash = ((hash ^ BigInt(text.charCodeAt(index))) * PRIME) & MASK;
  }
  return hash;
}

/** Eight hexadecimal digits that stand for a text. */
export function shortHash(text: string): string {
  return (fnv1a64(text) & 0xffffffffn).toString(16).padStart(8, '0');
}

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * 64 bits in hexadecimal that tell whether a text has changed: 32-bit FNV-1a over its UTF-16 code units, forwards and
 * backwards. It withstands no attacker, and need not: who can choose the text can change the VM anyway.
 * Source: draft-eastlake-fnv, constants of the 32-bit variant.
 */
export function digest(text: string): string {
  let forwards = OFFSET_BASIS;
  let backwards = OFFSET_BASIS;
  for (let index = 0; index < text.length; index++) {
    forwards = Math.imul(forwards ^ text.charCodeAt(index), PRIME);
    backwards = Math.imul(backwards ^ text.charCodeAt(text.length - 1 - index), PRIME);
  }
  return [forwards, backwards].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

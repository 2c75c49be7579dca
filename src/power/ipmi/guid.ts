/**
 * The order in which a BMC sends the system's GUID is specified as the reverse of RFC 4122's (IPMI 2.0, 20.8), while many send the
 * SMBIOS table's bytes and some RFC 4122's own, and none tells which. What SMBIOS shows on the machine must be the same
 * UUID, so a guess would accuse the right BMC of controlling another machine.
 */
const ORDERS = {
  rfc4122: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  smbios: [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15],
  ipmi: [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
} as const;

/** Version 1 to 8 and the variant of RFC 9562, as in every UUID that was made by the book. */
const BY_THE_BOOK = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * The UUID that those 16 bytes stand for, lower case. Undefined unless exactly one order of bytes makes a UUID of them.
 * Wrong only where a vendor numbers machines without regard to RFC 9562 and the number reversed happens to look as if it had.
 */
export function systemUuidOf(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 16) return undefined;
  const readings = new Set(Object.values(ORDERS).map((order) => format(order.map((index) => bytes[index] ?? 0))));
  const [only, ...others] = [...readings].filter((reading) => BY_THE_BOOK.test(reading));
  return others.length === 0 ? only : undefined;
}

function format(bytes: readonly number[]): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Compares by UTF-16 code units, so that the order is the same in every locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Compares by name: the last comparison of every order. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareText(a.name, b.name);
}

/** Compares by age, older first, then by name. Creation times are RFC 3339 in UTC, as the API server writes them. */
export function byAge(
  a: { readonly createdAt: string; readonly name: string },
  b: { readonly createdAt: string; readonly name: string },
): number {
  return compareText(a.createdAt, b.createdAt) || byName(a, b);
}

/**
 * The name of a value for logs and messages, `UNKNOWN(17)` for one that this list lacks: libvirt grows.
 * @example nameOf(DomainState, 5) // 'SHUTOFF'
 */
export function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? `UNKNOWN(${value})`;
}

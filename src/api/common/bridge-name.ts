const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * Name of the Linux bridge that stands for one VLAN of a VirtualSwitch, the same on every host: `dv-` and 8 hexadecimal
 * digits, since the kernel allows an interface 15 characters and the switch's own name may be longer. The bridge's alias
 * says in full what it is of, so that two names of one hash are told apart before they are mixed.
 * @param vlan absent: untagged.
 */
export function bridgeName(virtualSwitchName: string, vlan: number | undefined): string {
  return `dv-${fnv1a(`${virtualSwitchName}/${vlan ?? 0}`)}`;
}

/** FNV-1a, 32 bits, in hexadecimal. Object names are ASCII, so code units are bytes. Source: draft-eastlake-fnv. */
function fnv1a(text: string): string {
  let hash = OFFSET_BASIS;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), PRIME);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

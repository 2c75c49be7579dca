import { constant, flags, int, list, type OutOf, optional, string, uuid, type Xdr } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';

/*
 * Items that many procedures share. Limits are the REMOTE_*_MAX constants of libvirt's src/remote/remote_protocol.x;
 * the figures beside a field elsewhere in this folder come from there too.
 */
export const STRING_MAX_BYTES = 4_194_304;
export const COOKIE_MAX_BYTES = 4_194_304;
export const LIST_MAX = 16_384;
export const CPU_MAP_MAX_BYTES = 2_048;

export const text = string(STRING_MAX_BYTES);
export const optionalText = optional(text);
export const texts = (max: number): Xdr<string[], readonly string[]> => list(text, max);

/** List calls answer with a mere count unless asked for the objects. */
export const needResults = constant(1);

/** VIR_TYPED_PARAM_STRING_OKAY: without it the daemon leaves text parameters out, for clients older than 0.9.8. */
const STRING_OKAY = 4;

/** Flags of the calls that return typed parameters and check that flag; libvirt.so sets it for its callers as well. */
export const flagsWithStrings: Xdr<number, number | undefined> = {
  read: flags.read,
  write: (to, value) => flags.write(to, (value ?? 0) | STRING_OKAY),
};

/** A running domain's number; -1 for one that does not run. */
const domainId: Xdr<number, number | undefined> = { read: int.read, write: (to, value) => int.write(to, value ?? -1) };
const domainName: Xdr<string, string | undefined> = {
  read: text.read,
  write: (to, value) => text.write(to, value ?? ''),
};

/** The daemon finds a domain by its UUID; a name given with it only makes its error messages easier to read. */
export const domainRef = struct({ name: domainName, uuid, id: domainId });
export const networkRef = struct({ name: text, uuid });
export const poolRef = struct({ name: text, uuid });
export const volumeRef = struct({ pool: text, name: text, key: text });
export const secretRef = struct({ uuid, usageType: int, usageId: text });
export const snapshotRef = struct({ name: text, dom: domainRef });

/** A domain as the daemon names it; -1 is the `id` of one that does not run. */
export type DomainRef = OutOf<typeof domainRef>;
export type NetworkRef = OutOf<typeof networkRef>;
export type PoolRef = OutOf<typeof poolRef>;
export type VolumeRef = OutOf<typeof volumeRef>;
export type SnapshotRef = OutOf<typeof snapshotRef>;

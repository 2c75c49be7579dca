import * as z from 'zod';

/** Where an agent tells what it sees of other hosts' leases on storage: `GET https://<address>:<usagePort>/v1/leases`. */
export const LEASES_PATH = '/v1/leases';

/** Datastores that a host's lease can lie on at most: the record has room for no more. */
export const MAX_LEASE_DATASTORES = 16;

/**
 * What a host writes again and again into its file on shared datastores. While it can, its guests may run; once it could
 * not for `selfFenceMs`, it kills them, and its watchdog resets it where it does not come to that.
 */
export const LeaseRecord = z.object({
  host: z.string().min(1).max(253),
  /** The kernel's boot id: what is said about guests is said about those of this boot. */
  bootID: z.string().min(1).max(64),
  /** Of one run of the process that writes. */
  keeper: z.string().min(1).max(64),
  /** Grows with each write of that process. A reader only looks whether anything has changed. */
  sequence: z.int().min(0),
  /** How long after the beginning of the last write that succeeded its guests are killed, in milliseconds. */
  selfFenceMs: z.int().min(1).max(3_600_000),
  /** After how long without being fed the watchdog resets the host, in milliseconds. 0: there is none, and so no proof. */
  watchdogMs: z.int().min(0).max(3_600_000),
  /** Its agent has reached the API server a moment ago. Absent: it has not, or there is no agent. */
  reachesApi: z.boolean().optional(),
  /** Identities of the datastores that it is written to, sorted; a write to one of them is enough. The same all through a boot. */
  datastores: z.array(z.string().min(1).max(64)).min(1).max(MAX_LEASE_DATASTORES),
});
export type LeaseRecord = z.output<typeof LeaseRecord>;

/** What one host sees of another's lease. `silentMs`: by its own clock, how long the file has not changed while it could be read. */
export const LeaseSighting = z.object({
  /** Identity of the datastore. */
  datastore: z.string().max(64),
  /** Absent: there is no file, or it holds no record. */
  record: LeaseRecord.optional(),
  silentMs: z.number().min(0),
  /** Whether it has ever seen it change; one that has just begun to look has not. */
  changed: z.boolean(),
});
export type LeaseSighting = z.output<typeof LeaseSighting>;

/** Answer to {@link LEASES_PATH}. */
export const LeasesAnswer = z.object({
  /** Who has looked. */
  host: z.string(),
  /** All that it sees, by host and datastore. */
  leases: z.array(z.object({ host: z.string(), sightings: z.array(LeaseSighting) })),
});
export type LeasesAnswer = z.output<typeof LeasesAnswer>;

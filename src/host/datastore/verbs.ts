import { statfs } from 'node:fs/promises';
import * as z from 'zod';
import { LeaseRecord } from '../../api/storage-lease.ts';
import { isSystemError } from '../durable-file.ts';
import { readLeases, writeLease } from '../lease-file.ts';
import { DatastoreError } from './error.ts';
import { createIdentity, readIdentity, readPastCaches } from './identity.ts';
import { findImage } from './image-file.ts';
import { commitVolume, findVolume, prepareVolume, removePartial, removeVolume } from './volume-files.ts';

/** What is done on a datastore's file system, all of it in a process of its own (`DatastoreFiles` says why). */
const Root = { root: z.string(), identity: z.string() };
const Place = z.object({ ...Root, namespace: z.string(), file: z.string(), partialPrefix: z.string() });
const Nothing = z.undefined().or(z.null());

export const ProbeResult = z.object({
  identity: z.string().optional(),
  capacityBytes: z.number(),
  freeBytes: z.number(),
});

const VolumeFileResult = z.discriminatedUnion('exists', [
  z.object({ exists: z.literal(false) }),
  z.object({ exists: z.literal(true), allocatedBytes: z.number() }),
]);

const LeaseFilesResult = z.object({
  names: z.array(z.string()),
  files: z.record(z.string(), z.object({ digest: z.string(), record: LeaseRecord.optional() })),
});

const ImageFileResult = z.discriminatedUnion('found', [
  z.object({ found: z.literal(true), path: z.string(), sizeBytes: z.number(), modifiedMs: z.number() }),
  z.object({
    found: z.literal(false),
    reason: z.enum(['NotFound', 'OutsideOfImages', 'NotAFile']),
    message: z.string(),
  }),
]);

function verb<Args extends z.ZodType, Result extends z.ZodType>(
  args: Args,
  result: Result,
  run: (args: z.output<Args>) => Promise<z.input<Result>>,
) {
  return { args, result, run: async (raw: unknown): Promise<z.input<Result>> => await run(args.parse(raw)) };
}

export const VERBS = {
  probe: verb(z.object({ root: z.string(), create: z.boolean() }), ProbeResult, probe),
  findVolume: verb(Place, VolumeFileResult, findVolume),
  prepareVolume: verb(
    Place.extend({ partial: z.string() }),
    Nothing,
    async (place) => void (await prepareVolume(place)),
  ),
  commitVolume: verb(Place.extend({ partial: z.string() }), z.boolean(), commitVolume),
  removeVolume: verb(Place, Nothing, async (place) => void (await removeVolume(place))),
  removePartial: verb(
    Place.extend({ partial: z.string() }),
    Nothing,
    async (place) => void (await removePartial(place)),
  ),
  writeLease: verb(z.object({ ...Root, record: LeaseRecord }), Nothing, async (at) => void (await writeLease(at))),
  readLeases: verb(z.object({ ...Root, hosts: z.array(z.string()) }), LeaseFilesResult, readLeases),
  findImage: verb(z.object({ ...Root, path: z.string() }), ImageFileResult, findImage),
} as const;

export type VerbName = keyof typeof VERBS;
export type VerbArgs<N extends VerbName> = z.input<(typeof VERBS)[N]['args']>;
export type VerbResult<N extends VerbName> = z.output<(typeof VERBS)[N]['result']>;

/**
 * Reads identity and free space of a directory, from the storage itself.
 * @param create gives it an identity when it has none.
 */
async function probe({ root, create }: { root: string; create: boolean }): Promise<z.input<typeof ProbeResult>> {
  try {
    const space = await statfs(root, { bigint: true });
    const identity = create ? await createIdentity(root) : await readIdentity(root);
    if (identity !== undefined) await readPastCaches(root);
    return {
      ...(identity !== undefined && { identity }),
      capacityBytes: bytes(space.blocks * space.bsize),
      freeBytes: bytes(space.bavail * space.bsize),
    };
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new DatastoreError('Missing', `${root} is not a directory on this host; create or mount it`, {
      cause: error,
    });
  }
}

/** File systems of more than 8 PiB count as 8 PiB: beyond it numbers of JSON are not exact. */
function bytes(count: bigint): number {
  return Number(count > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : count);
}

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LeaseRecord } from '../api/storage-lease.ts';
import { DatastoreError } from './datastore/error.ts';
import { inDirectory, NoDirectoryError, type Root, requirePlainName } from './datastore/places.ts';
import { BLOCK_BYTES, direct, unlessDirect } from './direct-io.ts';
import { isSystemError } from './durable-file.ts';

const DIRECTORY = 'leases';
/** A Host's name: a DNS subdomain. */
const PLAIN_HOST = /^[a-z0-9][a-z0-9.-]*$/;
const MAGIC = 'drover-lease 1';

/** A record as its file holds it: what it is, the SHA-256 of the JSON, the JSON, spaces up to one block. */
export function formatLease(record: LeaseRecord): Buffer {
  const json = JSON.stringify(record);
  const text = `${MAGIC}\n${digest(json)}\n${json}\n`;
  const bytes = Buffer.byteLength(text);
  if (bytes > BLOCK_BYTES) throw new DatastoreError('Refused', `a lease of ${bytes} bytes has no room in one block`);
  return Buffer.concat([Buffer.from(text), Buffer.alloc(BLOCK_BYTES - bytes, ' ')]);
}

/** Undefined: it is none, or only part of one. */
export function parseLease(block: Buffer): LeaseRecord | undefined {
  const [magic, sum, json] = block.toString('utf8').split('\n');
  if (magic !== MAGIC || json === undefined || digest(json) !== sum) return undefined;
  try {
    return LeaseRecord.parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/**
 * Writes a host's record, past all caches: it has returned when the storage has it (O_DIRECT | O_DSYNC, open(2)).
 * @throws DatastoreError when the datastore is another one, or its file system has no direct I/O.
 */
export async function writeLease({ root, identity, record }: Root & { readonly record: LeaseRecord }): Promise<void> {
  requirePlainName(record.host);
  const block = formatLease(record);
  await inDirectory({ root, identity }, [DIRECTORY], { create: true }, async (directory, handle) => {
    const { file, created } = await openToWrite(join(directory, record.host));
    try {
      await direct(async (buffer) => {
        block.copy(buffer);
        const { bytesWritten: bytes } = await file.write(buffer, 0, BLOCK_BYTES, 0);
        if (bytes !== BLOCK_BYTES)
          throw new DatastoreError('Failed', `only ${bytes} of ${BLOCK_BYTES} bytes of the lease were written`);
        return { bytes, result: undefined };
      });
      if (created) await handle.sync();
    } finally {
      await file.close();
    }
  });
}

/** What a host's file holds. `digest`: of all its bytes; empty when there is no such file. */
export interface LeaseFile {
  readonly digest: string;
  readonly record?: LeaseRecord;
}

/** Hosts that have a file on a datastore, and what those asked for hold. A file that cannot be read is not among them. */
export interface LeaseFiles {
  readonly names: string[];
  readonly files: Record<string, LeaseFile>;
}

/** Reads records from the storage itself (O_DIRECT), not from what this host's cache remembers. */
export async function readLeases({
  root,
  identity,
  hosts,
}: Root & { readonly hosts: readonly string[] }): Promise<LeaseFiles> {
  for (const host of hosts) requirePlainName(host);
  const absent = () => ({ names: [], files: Object.fromEntries(hosts.map((host) => [host, { digest: '' }])) });
  try {
    return await inDirectory({ root, identity }, [DIRECTORY], { create: false }, async (directory) => {
      const names = (await readdir(directory)).filter((name) => PLAIN_HOST.test(name)).sort();
      const files: Record<string, LeaseFile> = {};
      for (const host of hosts) {
        const file = await readOne(join(directory, host));
        if (file !== undefined) files[host] = file;
      }
      return { names, files };
    });
  } catch (error) {
    if (error instanceof NoDirectoryError) return absent();
    throw error;
  }
}

/** Undefined: it is there, and is no file that can be read. */
async function readOne(path: string): Promise<LeaseFile | undefined> {
  try {
    if (!(await lstat(path)).isFile()) return undefined;
    const file = await open(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_DIRECT,
    );
    try {
      return await readFrom(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return { digest: '' };
    if (isSystemError(error, 'ELOOP', 'EACCES')) return undefined;
    throw unlessDirect(error);
  }
}

async function readFrom(file: FileHandle): Promise<LeaseFile> {
  const block = await direct(async (buffer) => {
    const { bytesRead } = await file.read(buffer, 0, BLOCK_BYTES, 0);
    return { bytes: bytesRead, result: Buffer.from(buffer.subarray(0, bytesRead)) };
  });
  const record = parseLease(block);
  return { digest: digest(block), ...(record !== undefined && { record }) };
}

async function openToWrite(path: string): Promise<{ readonly file: FileHandle; readonly created: boolean }> {
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_DIRECT | constants.O_DSYNC;
  try {
    return { file: await open(path, flags), created: false };
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw unlessDirect(error);
  }
  try {
    return { file: await open(path, flags | constants.O_CREAT, 0o600), created: true };
  } catch (error) {
    throw unlessDirect(error);
  }
}

function digest(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

import { access, constants, mkdir, open, readFile, stat } from 'node:fs/promises';
import { type DomainProcess, endLibvirtDaemon, readDomainProcess, removeDomainRecord } from './domain-process.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';
import { removeSeed, type Seed, writeSeed } from './seed.ts';

/** The end of a file that others append to. */
export interface Tail {
  readonly text: string;
  /** There was more: it was too long, or the file is another one by now, as where logs are rotated. */
  readonly isCut: boolean;
}

/** What the agent needs of its host for the sake of VMs, besides libvirt: files and the processes of domains. */
export interface HostFiles {
  /** Undefined: there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** Length in bytes; 0 where there is no such file. */
  sizeOf(path: string): Promise<number>;
  /** What was appended to a file since it was `from` bytes long; of that, the last `bytes` at most. Undefined: there is no such file. */
  readTail(path: string, from: number, bytes: number): Promise<Tail | undefined>;
  makeDirectory(path: string, mode: number): Promise<void>;
  /** The content is on disk, whole, when this resolves. */
  write(path: string, content: string, mode: number): Promise<void>;
  /** @throws Error when the file is not there, or may not be read, or written. */
  checkAccess(path: string, to: 'read' | 'write'): Promise<void>;
  writeSeed(seed: Seed): Promise<string>;
  removeSeed(directory: string, name: string): Promise<void>;
  readDomainProcess(
    runDirectory: string,
    domain: { readonly name: string; readonly uuid: string },
  ): Promise<DomainProcess>;
  removeDomainRecord(runDirectory: string, name: string): Promise<void>;
  endLibvirtDaemon(pidFile: string): Promise<void>;
}

/** Those of the machine that this process runs on. */
export const hostFiles: HostFiles = {
  async read(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
  async sizeOf(path) {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return 0;
      throw error;
    }
  },
  async readTail(path, from, bytes) {
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const isAnother = from > size;
        const start = Math.max(isAnother ? 0 : from, size - bytes);
        const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
        return { text: buffer.toString('utf8', 0, bytesRead), isCut: isAnother || start > from };
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
  async makeDirectory(path, mode) {
    await mkdir(path, { recursive: true, mode });
  },
  write: writeFileDurably,
  async checkAccess(path, to) {
    await access(path, to === 'read' ? constants.R_OK : constants.R_OK | constants.W_OK);
  },
  writeSeed,
  removeSeed,
  readDomainProcess,
  removeDomainRecord,
  endLibvirtDaemon,
};

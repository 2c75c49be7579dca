import { access, constants, mkdir, open, readFile } from 'node:fs/promises';
import { type DomainProcess, endLibvirtDaemon, readDomainProcess, removeDomainRecord } from './domain-process.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';
import { removeSeed, type Seed, writeSeed } from './seed.ts';

/** What the agent needs of its host for the sake of VMs, besides libvirt: files and the processes of domains. */
export interface HostFiles {
  /** Undefined: there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** The last bytes of a file; undefined: there is none. */
  readTail(path: string, bytes: number): Promise<string | undefined>;
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
  async readTail(path, bytes) {
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const start = Math.max(0, size - bytes);
        const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
        return buffer.toString('utf8', 0, bytesRead);
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

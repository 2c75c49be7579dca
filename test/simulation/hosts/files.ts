import type { HostFiles, Seed } from '../../../src/host/index.ts';
import type { Process } from '../engine/process.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';

/** How long a small file takes, in milliseconds. */
const ACCESS_MS = 1;

/** What survives a power cut on a host. */
export type Disk = Map<string, string>;

/** A host's files as one process on it reaches them. A write is on disk at once, also when the process ends before it hears of it. */
export function simulatedFiles(
  process: Process,
  disk: Disk,
  host: string,
  datastores: readonly SimulatedDatastore[],
): HostFiles {
  const reach = async <T>(act: () => T): Promise<T> => {
    const result = act();
    await process.spend(ACCESS_MS);
    return result;
  };
  return {
    read: (path) => reach(() => disk.get(path)),
    sizeOf: async (path) => disk.get(path)?.length ?? 0,
    readTail: (path, from, bytes) =>
      reach(() => {
        const added = disk.get(path)?.slice(from);
        return added === undefined ? undefined : { text: added.slice(-bytes), isCut: added.length > bytes };
      }),
    makeDirectory: async () => undefined,
    write: (path, content) => reach(() => void disk.set(path, content)),
    async checkAccess(path) {
      const datastore = datastores.find((each) => each.holds(path));
      if (datastore?.isAvailableOn(host)) return;
      throw new Error(`ENOENT: no such file or directory, access '${path}'`);
    },
    writeSeed: ({ directory, name, metaData }: Seed) =>
      reach(() => {
        const path = `${directory}/${name}.iso`;
        disk.set(path, metaData);
        return path;
      }),
    removeSeed: async (directory, name) => void disk.delete(`${directory}/${name}.iso`),
    readDomainProcess: async () => ({ recordedPid: 1, lives: true }),
    removeDomainRecord: async () => undefined,
    endLibvirtDaemon: async () => undefined,
  };
}

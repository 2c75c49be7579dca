import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isSystemError, writeFileDurably } from '../../host/index.ts';

const Content = z.record(z.string(), z.string());

/**
 * Which identity this host's directory of each Datastore that is not shared has, by uid of the Datastore. Kept in the
 * agent's state directory: after a reboot an unmounted file system must not be taken for a new Datastore.
 */
export class KnownIdentities {
  readonly #path: string;
  #byUid: Map<string, string>;

  private constructor(path: string, byUid: Map<string, string>) {
    this.#path = path;
    this.#byUid = byUid;
  }

  static async load(stateDirectory: string): Promise<KnownIdentities> {
    await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
    const path = join(stateDirectory, 'datastores.json');
    try {
      return new KnownIdentities(
        path,
        new Map(Object.entries(Content.parse(JSON.parse(await readFile(path, 'utf8'))))),
      );
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return new KnownIdentities(path, new Map());
      throw new Error(`${path} cannot be read; remove it if all datastores of this host are mounted`, { cause: error });
    }
  }

  get(uid: string): string | undefined {
    return this.#byUid.get(uid);
  }

  async remember(uid: string, identity: string): Promise<void> {
    if (this.#byUid.get(uid) === identity) return;
    this.#byUid.set(uid, identity);
    await this.#save();
  }

  /** Forgets Datastores that are gone. */
  async keepOnly(uids: ReadonlySet<string>): Promise<void> {
    const kept = new Map([...this.#byUid].filter(([uid]) => uids.has(uid)));
    if (kept.size === this.#byUid.size) return;
    this.#byUid = kept;
    await this.#save();
  }

  async #save(): Promise<void> {
    const sorted = [...this.#byUid].sort(([a], [b]) => (a < b ? -1 : 1));
    await writeFileDurably(this.#path, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`, 0o600);
  }
}

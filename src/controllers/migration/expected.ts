import type { MigrationStatus } from '../../api/migration.ts';
import type { MigrationInput } from '../../core/migration/next-step.ts';
import type { ObjectKey } from '../../kube/index.ts';

/** What this process has written about a migration last. */
interface Written {
  readonly uid: string | undefined;
  readonly phase: MigrationStatus['phase'];
  /** `metadata.generation` of the VM's instance. Absent: it was not written. */
  readonly generation?: number;
}

/**
 * Tells whether the caches show what was written last. A pass over older ones would write the same again: without harm, but
 * not for nothing.
 */
export class Expected {
  readonly #written = new Map<ObjectKey, Written>();

  put(key: ObjectKey, written: Written): void {
    this.#written.set(key, written);
  }

  isShown(key: ObjectKey, { migration, instance }: MigrationInput): boolean {
    const written = this.#written.get(key);
    if (written === undefined) return true;
    const isOfThis = migration === undefined || migration.metadata.uid === written.uid;
    const isOlder =
      isOfThis &&
      ((migration !== undefined && migration.status?.phase !== written.phase) ||
        (instance?.metadata.generation ?? Number.POSITIVE_INFINITY) < (written.generation ?? 0));
    if (!isOlder) this.#written.delete(key);
    return !isOlder;
  }
}

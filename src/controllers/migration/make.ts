import { API_VERSION, CLEANUP_FINALIZER } from '../../api/common/names.ts';
import { Migration, type MigrationSpec } from '../../api/migration.ts';
import { shortHash } from '../../core/virtual-machine/hash.ts';
import { controllerReference, KubeError, type KubeObject } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';

/** Names of objects have at most 253 characters. */
const MAX_STEM = 200;
/** How long a Migration that Drover made stays after its end, in seconds. */
const TTL_SECONDS = 3_600;

export interface MigrationToMake {
  readonly namespace: string;
  readonly name: string;
  readonly spec: Pick<MigrationSpec, 'cause'> &
    Partial<Pick<MigrationSpec, 'virtualMachineName' | 'ruleGroupName' | 'targetHost' | 'groupMigrationName'>>;
  /** Deleted with it. Absent: it stands for itself. */
  readonly owner?: Migration;
}

/**
 * Name of an attempt to move something. Each attempt has another one, and the same attempt the same: an operator that died does
 * not make it twice. A VM of a deleted one's name is another VM, whose attempts are its own.
 * @param attempt what makes it this one
 */
export function attemptName(
  what: string,
  purpose: 'evacuation' | 'rule' | 'together',
  attempt: readonly (string | number)[],
): string {
  return `${what.slice(0, MAX_STEM)}-${purpose}-${shortHash([what, ...attempt].join(' '))}`;
}

/** Makes a Migration. One that exists already was made by a pass that the cache does not show yet. */
export async function makeMigration(
  { namespace, name, spec, owner }: MigrationToMake,
  { client }: Pick<ControllerDependencies, 'client'>,
  signal: AbortSignal,
): Promise<void> {
  const object: KubeObject = {
    apiVersion: API_VERSION,
    kind: Migration.kind,
    metadata: {
      name,
      namespace,
      finalizers: [CLEANUP_FINALIZER],
      ...(owner && { ownerReferences: [controllerReference(owner)] }),
    },
    spec: { ...spec, ttlSecondsAfterFinished: TTL_SECONDS },
  };
  try {
    await client.create(Migration, object, { signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.isAlreadyExists())) throw error;
  }
}

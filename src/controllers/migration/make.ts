import { API_VERSION, CLEANUP_FINALIZER } from '../../api/common/names.ts';
import { Migration, type MigrationSpec } from '../../api/migration.ts';
import { controllerReference, KubeError, type KubeObject } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';

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

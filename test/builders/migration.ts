import { API_VERSION } from '../../src/api/common/names.ts';
import { Host } from '../../src/api/host.ts';
import { Migration, type MigrationStatus } from '../../src/api/migration.ts';
import type { InstanceMigration } from '../../src/api/virtual-machine-instance-migration.ts';

/** The migration of an instance to host h2, as the operator writes it. */
export function instanceMigration(changes: Partial<InstanceMigration> = {}): InstanceMigration {
  return {
    name: 'to-h2',
    uid: 'm-1',
    targetHost: 'h2',
    targetAddress: '192.0.2.2',
    order: 'Migrate',
    transport: 'TLS',
    maxDowntimeMilliseconds: 500,
    autoConverge: true,
    postCopy: false,
    progressTimeoutSeconds: 150,
    completionTimeoutSeconds: 150,
    ...changes,
  };
}

interface Overrides {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Partial<MigrationStatus>;
}

/** A Migration of VM `vm` to host h2 that nobody has looked at yet. */
export function migration({ metadata, spec, status }: Overrides = {}): Migration {
  return Migration.object.parse({
    apiVersion: API_VERSION,
    kind: 'Migration',
    metadata: { name: 'to-h2', namespace: 'default', uid: 'm-1', generation: 1, ...metadata },
    spec: { virtualMachineName: 'vm', targetHost: 'h2', ...spec },
    ...(status && { status: { conditions: [], ...status } }),
  });
}

/** A ready Host that sees datastore `shared` and switch `lan`, with 8 threads and 16 GiB. */
export function hostObject(name: string, status: Readonly<Record<string, unknown>> = {}): Host {
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'AgentReady',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return Host.object.parse({
    apiVersion: API_VERSION,
    kind: 'Host',
    metadata: { name, uid: `uid-of-${name}`, generation: 1 },
    spec: {},
    status: {
      address: '192.0.2.1',
      virtualization: 'qemu',
      capacity: { cpuCores: 8, memoryBytes: 16 * 2 ** 30 },
      datastores: [{ name: 'shared', available: true, id: 'ds-1' }],
      switches: [{ name: 'lan', available: true }],
      conditions: [ready],
      ...status,
    },
  });
}

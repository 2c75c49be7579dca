import { writeStatus } from '../../../src/agent/write-status.ts';
import { CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER } from '../../../src/api/common/names.ts';
import type { Volume } from '../../../src/api/volume.ts';
import { Volume as VolumeKind } from '../../../src/api/volume.ts';
import type { KubeApi, SharedInformer } from '../../../src/kube/index.ts';
import { Controller, done, type Result, requeueAfter, setConditions, source } from '../../../src/runtime/index.ts';
import type { Process } from '../engine/process.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';
import { logOf, unseenMetrics } from '../world/silent.ts';

export interface VolumesOptions {
  readonly volumes: SharedInformer<Volume>;
  readonly client: KubeApi;
  readonly process: Process;
  readonly host: string;
  readonly datastores: readonly SimulatedDatastore[];
}

const CREATE_MS = 300;
const AGAIN_MS = 5_000;

/**
 * The agent's part in the life of Volumes, played: the real one runs qemu-img. Data is there a moment after the operator
 * has given the Volume to this host, and gone a moment after nothing protects it any more.
 */
export function playedVolumes(options: VolumesOptions): Controller {
  const { volumes, process } = options;
  return new Controller({
    name: 'volume',
    sources: [source(volumes)],
    reconcile: (key, { signal }) => reconcile(volumes.get(key), options, signal),
    log: logOf(process, () => process.clock.monotonicMs()),
    metrics: unseenMetrics(),
    clock: process.clock,
  });
}

async function reconcile(volume: Volume | undefined, options: VolumesOptions, signal: AbortSignal): Promise<Result> {
  if (volume === undefined) return done;
  const { client, process, host, datastores } = options;
  const { finalizers, deletionTimestamp, generation, namespace, name, uid } = volume.metadata;
  const datastore = datastores.find((each) => each.name === volume.spec.datastoreName);
  if (datastore === undefined || !datastore.isAvailableOn(host)) return requeueAfter(AGAIN_MS, 'no datastore');
  const common = {
    observedGeneration: generation,
    format: 'qcow2',
    path: `${datastore.path}/${namespace}/${name}.${uid}`,
  };
  if (deletionTimestamp !== undefined) {
    if (finalizers.includes(VOLUME_PROTECTION_FINALIZER) || !finalizers.includes(CLEANUP_FINALIZER)) return done;
    if (volume.status?.phase === 'Deleted') return done;
    await process.spend(CREATE_MS);
    await writeStatus(client, VolumeKind, volume, { ...common, phase: 'Deleted', conditions: [] }, signal);
    return done;
  }
  if (volume.status?.phase !== 'Ready') await process.spend(CREATE_MS);
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Ready',
    message: '',
    observedGeneration: generation,
  } as const;
  const before = (volume.status?.conditions ?? []).filter(({ type }) => type === 'Ready');
  const conditions = [...setConditions(before, [ready], process.clock.now())];
  await writeStatus(client, VolumeKind, volume, { ...common, phase: 'Ready', conditions }, signal);
  return done;
}

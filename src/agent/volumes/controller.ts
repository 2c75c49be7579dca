import { Counter, Gauge } from 'prom-client';
import { parseBytes } from '../../api/common/quantity.ts';
import { Volume } from '../../api/volume.ts';
import { nextVolumeStep, type VolumeFacts, type VolumeStep } from '../../core/storage/volume-step.ts';
import { inspectImage } from '../../host/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import { writeStatus } from '../write-status.ts';
import { createVolume } from './create.ts';
import type { VolumesDependencies } from './deps.ts';
import { toVolumeFailure, VolumeFailure } from './failure.ts';
import { growVolume } from './grow.ts';
import { type JobTarget, VolumeJobs } from './jobs.ts';
import { placeOf } from './place.ts';
import { deleteVolumeData } from './remove.ts';
import { type VolumeReport, volumeStatus } from './status.ts';

/** Makes, grows and deletes the data of the Volumes that the operator gave to this host. */
export interface Volumes {
  readonly controller: Controller;
  /** Stops the work under way; it starts over when the agent is back. */
  close(): Promise<void>;
}

/** Most Volumes are made sooner and need no write about their progress. */
const FIRST_PROGRESS_MS = 2_000;
const PROGRESS_MS = 10_000;
const RETRY_MS = 5_000;
/** Space taken is measured again. */
const MEASURE_MS = 10 * 60_000;
const JOBS_AT_ONCE = 4;

interface Scope extends VolumesDependencies {
  readonly jobs: VolumeJobs;
}

export function volumesController(deps: VolumesDependencies): Volumes {
  const onEnd = observeJobs(deps);
  const jobs = new VolumeJobs({
    atOnce: deps.jobsAtOnce ?? JOBS_AT_ONCE,
    retryMs: deps.retryMs ?? RETRY_MS,
    clock: deps.clock,
    onEnd: (key, kind, failure) => {
      onEnd(kind, failure);
      if (failure)
        deps.log.warn({ volume: key, job: kind, reason: failure.reason, err: failure }, 'work on a volume failed');
      controller.enqueue(key);
    },
  });
  new Gauge({
    name: 'drover_volume_jobs',
    help: 'Volumes that are being made or grown, or wait for that.',
    registers: [deps.metrics.registry],
    collect() {
      this.set(jobs.running);
    },
  });
  const scope: Scope = { ...deps, jobs };
  const controller: Controller = new Controller({
    name: 'volume',
    sources: [source(deps.volumes)],
    reconcile: (key, context) => reconcile(scope, key, context),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
  return { controller, close: () => jobs.close() };
}

function observeJobs({ metrics }: VolumesDependencies): (kind: string, failure: VolumeFailure | undefined) => void {
  const counter = new Counter({
    name: 'drover_volume_jobs_total',
    help: 'Volumes made or grown, by how it ended: ok, or the reason of the Ready condition.',
    labelNames: ['job', 'outcome'],
    registers: [metrics.registry],
  });
  return (job, failure) => counter.inc({ job, outcome: failure?.reason ?? 'ok' });
}

async function reconcile(scope: Scope, key: string, context: ReconcileContext): Promise<Result> {
  const { volumes, jobs, host } = scope;
  const volume = volumes.get(key);
  const job = jobs.find(key);
  if (job !== undefined && job.uid !== volume?.metadata.uid) await jobs.cancel(key);
  const facts: VolumeFacts = { volume, host, job: jobs.find(key)?.kind, file: undefined };
  const step = nextVolumeStep(facts);
  if (volume === undefined || step.step === 'Release') {
    await jobs.cancel(key);
    return done;
  }
  if (step.step !== 'Look') return await carryOut(scope, volume, step, context);
  const failed = jobs.failureOf(targetOf(volume));
  if (failed) return await reportFailure(scope, volume, failed.failure, failed.retryInMs, context);
  const file = await look(scope, volume, context.signal).catch(toVolumeFailure);
  if (file instanceof VolumeFailure) {
    return await reportFailure(scope, volume, file, scope.retryMs ?? RETRY_MS, context);
  }
  return await carryOut(scope, volume, nextVolumeStep({ ...facts, file }), context, file);
}

type VolumeFile = { readonly exists: false } | { readonly exists: true; capacityBytes: number; allocatedBytes: number };

async function look({ datastores }: Scope, volume: Volume, signal: AbortSignal): Promise<VolumeFile> {
  const place = placeOf(volume, datastores);
  const file = await place.files.call('findVolume', place.args);
  if (!file.exists) return file;
  const { path, capacityBytes } = volume.status ?? {};
  const wantedBytes = volume.spec.size === undefined ? 0 : parseBytes(volume.spec.size);
  // The cache may not show yet that the Volume has grown: before it is grown, the file itself is asked.
  const isLargeEnough = capacityBytes !== undefined && capacityBytes >= wantedBytes;
  if (path === place.path && isLargeEnough) return { ...file, capacityBytes };
  const info = await inspectImage(place.path, { format: 'qcow2', inUse: true, signal });
  return { ...file, capacityBytes: info.virtualSizeBytes };
}

async function carryOut(
  scope: Scope,
  volume: Volume,
  step: VolumeStep,
  context: ReconcileContext,
  file?: VolumeFile,
): Promise<Result> {
  switch (step.step) {
    case 'Release':
    case 'Look':
    case 'Done':
      return done;
    case 'AwaitJob':
      return await reportProgress(scope, volume, context);
    case 'Create':
      scope.jobs.start(targetOf(volume), 'Create', (signal, onProgress) =>
        createVolume(scope, volume, signal, onProgress),
      );
      return requeueAfter(FIRST_PROGRESS_MS, 'the volume is being made');
    case 'Grow':
      scope.jobs.start(targetOf(volume), 'Grow', (signal) => grow(scope, volume, step.toBytes, signal));
      return requeueAfter(FIRST_PROGRESS_MS, 'the volume is being grown');
    case 'ReportMissing':
      return await reportMissing(scope, volume, context);
    case 'ReportReady':
      return file?.exists ? await reportReady(scope, volume, file, context) : done;
    case 'AwaitUnprotected':
      return await awaitUnprotected(scope, volume, context);
    case 'Delete':
      return await deleteData(scope, volume, context);
  }
}

/** The new size is written at once: it is what tells that nothing is left to do. */
async function grow(scope: Scope, volume: Volume, toBytes: number, signal: AbortSignal): Promise<void> {
  await growVolume(scope, volume, toBytes, signal);
  const place = placeOf(volume, scope.datastores);
  const info = await inspectImage(place.path, { format: 'qcow2', inUse: true, signal });
  const file = { capacityBytes: info.virtualSizeBytes, allocatedBytes: info.allocatedBytes };
  await write(scope, volume, { is: 'Ready', path: place.path, ...file }, signal);
}

async function reportReady(
  scope: Scope,
  volume: Volume,
  file: Extract<VolumeFile, { exists: true }>,
  { signal }: ReconcileContext,
): Promise<Result> {
  const { path } = placeOf(volume, scope.datastores);
  const { capacityBytes, allocatedBytes } = file;
  await write(scope, volume, { is: 'Ready', path, capacityBytes, allocatedBytes }, signal);
  return requeueAfter(MEASURE_MS, 'the space taken is measured again');
}

async function reportMissing(scope: Scope, volume: Volume, { signal }: ReconcileContext): Promise<Result> {
  const message =
    `${volume.status?.path} is gone, and no new data is made in its place. ` +
    'Put it back from a backup, or delete the Volume if the data is not needed.';
  await write(scope, volume, { is: 'Failed', reason: 'DataMissing', message }, signal);
  return requeueAfter(scope.retryMs ?? RETRY_MS, message);
}

async function reportProgress(scope: Scope, volume: Volume, { signal }: ReconcileContext): Promise<Result> {
  const job = scope.jobs.find(`${volume.metadata.namespace}/${volume.metadata.name}`);
  if (job === undefined) return requeueAfter(0, 'the work has just ended');
  await write(scope, volume, { is: 'Working', job }, signal);
  return requeueAfter(PROGRESS_MS, 'work on the volume goes on');
}

/** An outage of the datastore says nothing about a Volume that was made: Host and Datastore report it. */
async function reportFailure(
  scope: Scope,
  volume: Volume,
  { reason, message }: VolumeFailure,
  retryInMs: number,
  { signal }: ReconcileContext,
): Promise<Result> {
  const isOutage = reason === 'DatastoreUnavailable' && volume.status?.path !== undefined;
  if (!isOutage) await write(scope, volume, { is: 'Failed', reason, message }, signal);
  return requeueAfter(retryInMs, message);
}

/** Nobody will use a Volume that is being deleted: making it stops at once, its data waits for the protection to go. */
async function awaitUnprotected(scope: Scope, volume: Volume, { signal }: ReconcileContext): Promise<Result> {
  await scope.jobs.cancel(`${volume.metadata.namespace}/${volume.metadata.name}`);
  const message = 'the data is kept while a VirtualMachine may use it';
  await write(scope, volume, { is: 'Deleting', reason: 'Protected', message }, signal);
  return done;
}

async function deleteData(scope: Scope, volume: Volume, { signal }: ReconcileContext): Promise<Result> {
  await scope.jobs.cancel(`${volume.metadata.namespace}/${volume.metadata.name}`);
  try {
    await deleteVolumeData(scope, volume, signal);
  } catch (error) {
    const { reason, message } = toVolumeFailure(error);
    await write(scope, volume, { is: 'Deleting', reason, message }, signal);
    return requeueAfter(scope.retryMs ?? RETRY_MS, message);
  }
  await write(scope, volume, { is: 'Deleted' }, signal);
  return done;
}

async function write(scope: Scope, volume: Volume, report: VolumeReport, signal: AbortSignal): Promise<void> {
  await writeStatus(scope.client, Volume, volume, volumeStatus(volume, report, scope.clock.now()), signal);
}

function targetOf({ metadata: { namespace, name, uid, generation } }: Volume): JobTarget {
  return { key: `${namespace}/${name}`, uid, generation };
}

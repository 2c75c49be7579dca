import type { Logger } from 'pino';
import { showBytes } from '../../api/common/quantity.ts';
import { Image, type ImageStatus } from '../../api/image.ts';
import type { KubeApi, SharedInformer } from '../../kube/index.ts';
import {
  type Clock,
  Controller,
  done,
  type Metrics,
  type ReconcileContext,
  type Result,
  requeueAfter,
  setCondition,
  source,
} from '../../runtime/index.ts';
import type { Datastores } from '../datastores/datastores.ts';
import { writeStatus } from '../write-status.ts';
import { type InspectedImage, inspectImageFile } from './inspect.ts';

export interface ImagesDependencies {
  /** Name of this host. */
  readonly host: string;
  readonly client: KubeApi;
  /** Images whose status names this host. */
  readonly images: SharedInformer<Image>;
  readonly datastores: Datastores;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How soon an image that cannot be used is looked at again. Absent: 15 s. */
  readonly retryMs?: number;
}

const RETRY_MS = 15_000;
/** An administrator may replace or remove a file at any time. */
const RECHECK_MS = 5 * 60_000;

/** Inspects the Images that the operator gave to this host and says whether Volumes can be cloned from them. */
export function imagesController(deps: ImagesDependencies): Controller {
  return new Controller({
    name: 'image',
    sources: [source(deps.images)],
    reconcile: (key, context) => reconcile(deps, key, context),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(deps: ImagesDependencies, key: string, { signal, clock }: ReconcileContext): Promise<Result> {
  const image = deps.images.get(key);
  if (image?.status?.host !== deps.host || image.metadata.deletionTimestamp !== undefined) return done;
  const access = deps.datastores.access(image.spec.datastoreName);
  const inspected = await inspectImageFile(access, image.spec.path, signal);
  // An outage of the datastore says nothing about the image: Host and Datastore report it.
  if (!inspected.ok && inspected.reason === 'DatastoreUnavailable' && image.status.phase === 'Ready') {
    return requeueAfter(deps.retryMs ?? RETRY_MS, inspected.message);
  }
  await writeStatus(deps.client, Image, image, statusOf(image, inspected, clock.now()), signal);
  if (inspected.ok) return requeueAfter(RECHECK_MS, 'the file may change');
  return requeueAfter(deps.retryMs ?? RETRY_MS, inspected.message);
}

function statusOf(image: Image, inspected: InspectedImage, now: Date): Omit<ImageStatus, 'host'> {
  const observedGeneration = image.metadata.generation;
  const ready = inspected.ok
    ? { status: 'True' as const, reason: 'Inspected', message: '' }
    : { status: 'False' as const, reason: inspected.reason, message: inspected.message };
  const before = (image.status?.conditions ?? []).filter(({ type }) => type === 'Ready');
  const conditions = [...setCondition(before, { type: 'Ready', ...ready, observedGeneration }, now)];
  if (!inspected.ok) {
    const phase = inspected.reason === 'DatastoreUnavailable' ? 'Pending' : 'Failed';
    return { observedGeneration, phase, conditions } as const;
  }
  const { path, format, info } = inspected;
  const { virtualSizeBytes } = info;
  const virtualSize = showBytes(virtualSizeBytes);
  return { observedGeneration, phase: 'Ready', path, format, virtualSizeBytes, virtualSize, conditions };
}

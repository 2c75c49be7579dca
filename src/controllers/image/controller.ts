import { Image } from '../../api/image.ts';
import { workerHost } from '../../core/storage/worker-host.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { readyHostsWith } from '../inventory/datastore-hosts.ts';
import { datastoresNotVisible, unassignedStatus } from '../unassigned.ts';
import { writeStatus } from '../write-status.ts';

const RETRY_MS = 15_000;

/** Gives every Image to a host that sees its datastore; the agent there inspects the file and reports. */
export function imageController(deps: ControllerDependencies): Controller {
  const { images, hosts, datastores } = deps.informers;
  const unassigned = () => images.list().filter(needsHost).map(keyOf);
  return new Controller({
    name: 'image',
    sources: [source(images), source(hosts, unassigned), source(datastores, unassigned)],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

/** An Image that has been inspected needs nobody any more: the file is read again by whoever clones it. */
function needsHost({ metadata, status }: Image): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase !== 'Ready';
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  { informers, client }: ControllerDependencies,
): Promise<Result> {
  const image = informers.images.get(key);
  if (image === undefined || !needsHost(image)) return done;
  const { datastoreName } = image.spec;
  const candidates = readyHostsWith([datastoreName], informers);
  const current = image.status?.host;
  const host = current !== undefined && candidates.includes(current) ? current : workerHost(key, candidates);
  const message = datastoresNotVisible([datastoreName]);
  const status = host === undefined ? unassignedStatus(image, message, clock.now()) : { host };
  await writeStatus(client, Image, image, status, { fieldManager: FIELD_MANAGERS.image, signal });
  return host === undefined ? requeueAfter(RETRY_MS, message) : done;
}

import { showBytes } from '../../api/common/quantity.ts';
import { Datastore, type DatastoreStatus } from '../../api/datastore.ts';
import type { Host } from '../../api/host.ts';
import type { ObjectKey } from '../../kube/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  type ReconcileContext,
  type Result,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';

type Report = NonNullable<Host['status']>['datastores'][number];
interface HostReport {
  readonly host: string;
  readonly report: Report;
}

/** Sums up what the hosts see of a Datastore, and finds out whether a shared one is the same directory everywhere. */
export function datastoreController(deps: ControllerDependencies): Controller {
  const { datastores, hosts } = deps.informers;
  return new Controller({
    name: 'datastore',
    sources: [source(datastores), source(hosts, () => datastores.keys())],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  { informers, client }: ControllerDependencies,
): Promise<Result> {
  const datastore = informers.datastores.get(key);
  if (datastore === undefined) return done;
  const status = statusOf(datastore, reportsOn(key, informers.hosts.list()), clock.now());
  await writeStatus(client, Datastore, datastore, status, { fieldManager: FIELD_MANAGERS.datastore, signal });
  return done;
}

function reportsOn(datastore: string, hosts: readonly Host[]): HostReport[] {
  return hosts.flatMap(({ metadata, status }) => {
    const report = status?.datastores.find(({ name }) => name === datastore);
    return report === undefined ? [] : [{ host: metadata.name, report }];
  });
}

function smallest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.min(...values) : undefined;
}

function statusOf(datastore: Datastore, reports: readonly HostReport[], now: Date): DatastoreStatus {
  const available = reports.filter(({ report }) => report.available);
  // The first identity seen counts for good: a host with another one has another directory at the same path.
  const id = datastore.spec.shared ? (datastore.status?.id ?? available[0]?.report.id) : undefined;
  const using = datastore.spec.shared
    ? available.filter(({ report }) => report.id === id && id !== undefined)
    : available;
  const capacityBytes = smallest(using.flatMap(({ report }) => report.capacityBytes ?? []));
  const freeBytes = smallest(using.flatMap(({ report }) => report.freeBytes ?? []));
  const observedGeneration = datastore.metadata.generation;
  return {
    observedGeneration,
    id,
    hosts: using.map(({ host }) => host),
    capacityBytes,
    freeBytes,
    capacity: capacityBytes === undefined ? undefined : showBytes(capacityBytes),
    free: freeBytes === undefined ? undefined : showBytes(freeBytes),
    conditions: [
      ...setConditions(
        datastore.status?.conditions ?? [],
        [{ ...ready(datastore, reports, using), observedGeneration }],
        now,
      ),
    ],
  };
}

function ready(datastore: Datastore, reports: readonly HostReport[], using: readonly HostReport[]): ConditionInput {
  const type = 'Ready';
  const { path } = datastore.spec;
  const problems = reports
    .filter(({ host }) => !using.some((other) => other.host === host))
    .map(
      ({ host, report }) =>
        `${host}: ${report.available ? `its directory ${path} is not the one that the other hosts see; is the file system mounted?` : report.message}`,
    );
  const message = [`seen by ${using.length} of ${reports.length} hosts`, ...problems].join('\n');
  if (using.length === 0)
    return { type, status: 'False', reason: reports.length === 0 ? 'NotReported' : 'NotVisible', message };
  return { type, status: 'True', reason: problems.length === 0 ? 'Visible' : 'PartlyVisible', message };
}

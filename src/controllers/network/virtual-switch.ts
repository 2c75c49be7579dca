import { VirtualSwitch } from '../../api/network.ts';
import type { ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, setConditions, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';

/** Sums up which hosts have a VirtualSwitch. */
export function virtualSwitchController(deps: ControllerDependencies): Controller {
  const { switches, hosts } = deps.informers;
  return new Controller({
    name: 'virtualswitch',
    sources: [source(switches), source(hosts, () => switches.keys())],
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
  const virtualSwitch = informers.switches.get(key);
  if (virtualSwitch === undefined) return done;
  const reports = informers.hosts.list().flatMap(({ metadata, status }) => {
    const report = status?.switches.find(({ name }) => name === key);
    return report === undefined ? [] : [{ host: metadata.name, ...report }];
  });
  const having = reports.filter(({ available }) => available);
  const problems = reports.filter(({ available }) => !available).map(({ host, message }) => `${host}: ${message}`);
  const observedGeneration = virtualSwitch.metadata.generation;
  const ready = {
    type: 'Ready',
    status: having.length > 0 ? 'True' : 'False',
    reason: having.length === 0 ? 'NotAvailable' : problems.length === 0 ? 'Available' : 'PartlyAvailable',
    message: [`on ${having.length} of ${reports.length} hosts`, ...problems].join('\n'),
    observedGeneration,
  } as const;
  const status = {
    observedGeneration,
    hosts: having.map(({ host }) => host),
    conditions: setConditions(virtualSwitch.status?.conditions ?? [], [ready], clock.now()),
  };
  await writeStatus(client, VirtualSwitch, virtualSwitch, status, {
    fieldManager: FIELD_MANAGERS.virtualSwitch,
    signal,
  });
  return done;
}

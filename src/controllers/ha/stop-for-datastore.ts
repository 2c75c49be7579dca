import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import {
  type DatastoreFault,
  type DatastoreFaultStep,
  datastoreFaultStep,
  hasLostDatastore,
} from '../../core/ha/datastore-fault.ts';
import type { LostVirtualMachine } from '../../core/ha/restart-plan.ts';
import { stoppedForDatastore, wishOf } from '../../core/virtual-machine/next-step.ts';
import { KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import type { ReconcileContext } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_HOST } from '../informers.ts';
import { gather } from '../virtual-machine/gather.ts';
import { changedInstance } from '../virtual-machine/instance.ts';
import type { SteadyLosses } from './steady-losses.ts';

/** A VM whose host has lost a datastore of it, and which is to run elsewhere. */
export interface ToStop extends LostVirtualMachine {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  readonly fault: DatastoreFault;
}

interface Found {
  readonly toStop: readonly ToStop[];
  /** When the next one would be stopped, in Unix time. Absent: none would. */
  readonly nextAtMs: number | undefined;
}

export const NONE_TO_STOP: Found = { toStop: [], nextAtMs: undefined };

/** VMs of a Cluster that are to be stopped where they are now, and when the next one would be. */
export function toStopIn(cluster: ObjectKey, nowMs: number, losses: SteadyLosses, deps: ControllerDependencies): Found {
  const { informers, inventories } = deps;
  const all = informers.hosts.list();
  const hosts = all.filter((host) => hasLostDatastore(host) && inventories.clusterOf(host.metadata.name) === cluster);
  const steps = hosts.flatMap((host) =>
    informers.instances.byIndex(BY_HOST, host.metadata.name).flatMap((instance) => {
      const input = gather(keyOf(instance), deps);
      const { vm } = input;
      if (vm === undefined || input.datastoreFault === undefined) return [];
      const step = datastoreFaultStep(input.datastoreFault, vm, instance, host, nowMs);
      const waitMs = losses.waitMs(input.datastoreFault.datastore, all);
      const steady: DatastoreFaultStep =
        step.step === 'Stop' && waitMs > 0 ? { step: 'WaitUntil', atMs: nowMs + waitMs } : step;
      return [{ vm, instance, input, ...steady }];
    }),
  );
  const toStop = steps.flatMap((each) => {
    if (each.step !== 'Stop') return [];
    const { vm, instance, input, fault } = each;
    const wish = wishOf(vm, input);
    if (!wish.ok) return [];
    const request = { ...wish.request, onlyHost: undefined };
    const { restartPriority: priority } = vm.spec.ha;
    return [{ request, fromHost: instance.spec.host, priority, dependsOn: [], vm, instance, fault }];
  });
  const waits = steps.flatMap((each) => (each.step === 'WaitUntil' ? [each.atMs] : []));
  return { toStop, nextAtMs: waits.length === 0 ? undefined : Math.min(...waits) };
}

/** Tells the host to end the domain. It is started elsewhere only when the host has confirmed that. */
export async function stopForDatastore(
  { vm, instance, fault }: ToStop,
  deps: ControllerDependencies,
  { signal, log, clock }: ReconcileContext,
): Promise<void> {
  const { datastore: datastoreName, reason, since: detectedAt } = fault;
  const { host } = instance.spec;
  const decidedAt = clock.now().toISOString();
  const spec = stoppedForDatastore(instance.spec, { datastoreName, reason, detectedAt, decidedAt });
  try {
    await deps.client.update(VirtualMachineInstance, changedInstance(instance, spec), { signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.isConflict())) throw error;
    log.info({ virtualMachine: keyOf(instance) }, 'the instance has changed meanwhile; it is looked at anew');
    return;
  }
  log.warn(
    { virtualMachine: keyOf(instance), host, datastoreName, reason, detectedAt },
    'stopped for a lost datastore',
  );
  const note = `host ${host} has lost Datastore ${datastoreName} (${reason}, since ${detectedAt}): the VM is stopped there, and started on another host when it is off`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'DatastoreLost', action: 'Stopping', note });
}

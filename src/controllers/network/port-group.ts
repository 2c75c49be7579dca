import { PortGroup } from '../../api/network.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import {
  Controller,
  done,
  isTrue,
  type ReconcileContext,
  type Result,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';

/** Says of each PortGroup whether its switch is there. */
export function portGroupController(deps: ControllerDependencies): Controller {
  const { portGroups, switches } = deps.informers;
  const groupsOf = (virtualSwitch: string) =>
    portGroups
      .list()
      .filter(({ spec }) => spec.virtualSwitchName === virtualSwitch)
      .map(keyOf);
  return new Controller({
    name: 'portgroup',
    sources: [source(portGroups), source(switches, ({ key }) => groupsOf(key))],
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
  const group = informers.portGroups.get(key);
  if (group === undefined) return done;
  const name = group.spec.virtualSwitchName;
  const virtualSwitch = informers.switches.get(name);
  const observedGeneration = group.metadata.generation;
  const verdict =
    virtualSwitch === undefined
      ? ({
          status: 'False',
          reason: 'SwitchNotFound',
          message: `there is no VirtualSwitch "${name}"; create it`,
        } as const)
      : isTrue(virtualSwitch.status?.conditions, 'Ready')
        ? ({ status: 'True', reason: 'SwitchReady', message: `VirtualSwitch "${name}" is there` } as const)
        : ({
            status: 'False',
            reason: 'SwitchNotReady',
            message: `VirtualSwitch "${name}" is on no host yet; look at kubectl get vsw ${name} -o wide`,
          } as const);
  const status = {
    observedGeneration,
    conditions: setConditions(
      group.status?.conditions ?? [],
      [{ type: 'Ready', ...verdict, observedGeneration }],
      clock.now(),
    ),
  };
  await writeStatus(client, PortGroup, group, status, { fieldManager: FIELD_MANAGERS.portGroup, signal });
  return done;
}

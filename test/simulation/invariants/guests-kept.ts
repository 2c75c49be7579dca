import { RESTARTED_AT_ANNOTATION } from '../../../src/api/common/names.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { DomainState, PausedReason } from '../../../src/libvirt/index.ts';
import { isJson, type Json } from '../api/field-set.ts';
import type { Domain } from '../hosts/domain.ts';
import type { Invariant, Seen } from './invariant.ts';

/**
 * No guest's power is cut that is to run: what is destroyed has another copy that goes on, or is to be off or restarted.
 * A copy that waited for its memory has never been a guest, one whose kernel has panicked is none any more, and one whose guest was handed over is an
 * older one as soon as the other was told to go on. A host that is to end its VMs when it is alone does so against their intents. A host that has seen
 * nothing for a time does what it was told last.
 */
export function guestsKept(): Invariant {
  /** VMs that were to be off at some time. */
  const wasToBeOff = new Set<string>();
  return {
    name: 'a guest that is to run is not destroyed',
    onCommit: ({ kind, after }) => {
      const spec = kind.plural === 'virtualmachineinstances' ? after?.spec : undefined;
      if (isJson(spec) && spec['powerState'] === 'Off') wasToBeOff.add(String(spec['virtualMachineUID']));
      return undefined;
    },
    onDomain: ({ host, domain, what }, seen) => {
      const uid = domain.virtualMachineUID;
      if (uid === undefined || !domain.hasRun || !what.endsWith(' stopped (destroyed)')) return undefined;
      if (domain.state === DomainState.CRASHED) return undefined;
      const goesOn = seen.hosts.some(({ domains }) =>
        domains.some((other) => other.virtualMachineUID === uid && other.state === DomainState.RUNNING),
      );
      const isOlder = isHandedOver(domain) && orderOf(uid, seen) === 'KeepTarget';
      const isStale = wasToBeOff.has(uid) && seen.wasMisled(host);
      const mayEndIt = goesOn || isOlder || isStale || !isWanted(uid, seen) || endsWhenIsolated(host, seen);
      return mayEndIt ? undefined : `${domain.name} on ${host}, and no other copy of it runs`;
    },
  };
}

function isHandedOver({ state, reason }: Domain): boolean {
  return state === DomainState.PAUSED && reason === PausedReason.MIGRATION;
}

/** What the source of a move was told last. */
function orderOf(uid: string, seen: Seen): unknown {
  const migration = intentOf(uid, seen)?.['migration'];
  return isJson(migration) ? migration['order'] : undefined;
}

function endsWhenIsolated(name: string, { server }: Seen): boolean {
  const status = server.find(Host, { name })?.status;
  const isolation = isJson(status) ? status['isolation'] : undefined;
  return isJson(isolation) && isolation['response'] !== 'LeavePoweredOn';
}

function intentOf(uid: string, { server }: Seen): Json | undefined {
  const specs = server.list(VirtualMachineInstance).map(({ spec }) => spec);
  return specs.filter(isJson).find((spec) => spec['virtualMachineUID'] === uid);
}

/** Whether the newest intent, and its user, want it to run on as it is. */
function isWanted(uid: string, seen: Seen): boolean {
  const intent = intentOf(uid, seen);
  const vm = seen.server.list(VirtualMachine).find(({ metadata }) => metadata.uid === uid);
  if (intent === undefined || vm === undefined) return false;
  const isRestarted = vm.metadata.annotations?.[RESTARTED_AT_ANNOTATION] !== undefined;
  return intent['powerState'] === 'Running' && !isRestarted;
}

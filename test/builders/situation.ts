import type {
  VirtualMachineInstanceSpec,
  VirtualMachineInstanceStatus,
} from '../../src/api/virtual-machine-instance.ts';
import type { ObservedDomain, Run, RunEnd, Situation, StopReason } from '../../src/core/instance/index.ts';
import { instance } from './virtual-machine-instance.ts';

export const NOW = '2026-03-01T12:00:00.000Z';
export const NOW_MS = Date.parse(NOW);

/** RFC 3339, so many seconds before (or, negative, after) now. */
export function ago(seconds: number): string {
  return new Date(NOW_MS - seconds * 1000).toISOString();
}

export function run(changes: Partial<Run> = {}): Run {
  return { epoch: 1, restartedAt: '', startedAt: ago(3600), restarts: 0, ...changes };
}

export function domain(changes: Partial<ObservedDomain> = {}): ObservedDomain {
  return {
    epoch: 1,
    restartedAt: '',
    startedAt: ago(3600),
    state: { running: true },
    outdatedFields: [],
    guestTools: { connected: false, addresses: [] },
    ...changes,
  };
}

/** Stopped just now. */
export function ended(reason: StopReason, at = NOW): RunEnd {
  return { began: true, at, reason };
}

export interface SituationChanges extends Partial<Omit<Situation, 'instance'>> {
  readonly spec?: Partial<VirtualMachineInstanceSpec>;
  readonly status?: VirtualMachineInstanceStatus;
  readonly generation?: number;
}

/** A VM that shall run, of which nothing is known yet but that its host has said that it may run it. */
export function situation({ spec, status, generation, ...changes }: SituationChanges = {}): Situation {
  return {
    nowMs: NOW_MS,
    host: 'host-a',
    bootID: 'boot-1',
    instance: instance({
      ...(spec && { spec }),
      status: {
        host: 'host-a',
        bootID: 'boot-1',
        observedEpoch: spec?.epoch ?? 1,
        conditions: [],
        ...status,
      },
      ...(generation !== undefined && { generation }),
    }),
    newestEpoch: 0,
    stopAsked: false,
    ...changes,
  };
}

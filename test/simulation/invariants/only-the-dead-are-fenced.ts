import { HAPolicy } from '../../../src/api/ha-policy.ts';
import { hostsOfLease } from '../../../src/controllers/host/lease.ts';
import type { World } from '../world/world.ts';
import type { Invariant } from './invariant.ts';

/** What is under way when a sign of life comes may still arrive, in milliseconds. */
const UNDER_WAY_MS = 2_000;

/**
 * No power is cut of a host that lives: that has answered whoever asks for as long as the policy waits, or whose lease was
 * renewed within that time and seen.
 */
export function onlyTheDeadAreFenced(): Invariant {
  /** Since when each host answers an operator, by both names. */
  const answers = new Map<string, number>();
  /** When each lease was renewed last that the operator's watch has brought at once. */
  const renewed = new Map<string, number>();
  let nowMs = 0;
  return {
    name: 'only the dead are fenced',
    onStep: (world) => {
      nowMs = world.timeline.nowMs;
      for (const host of world.hosts) {
        for (const { name } of world.operators) {
          const key = `${name} ${host.name}`;
          if (!doesAnswer(world, name, host.name)) answers.delete(key);
          else if (!answers.has(key)) answers.set(key, nowMs);
        }
      }
    },
    onCommit: ({ kind, after }) => {
      if (kind.plural !== 'leases' || after === undefined) return undefined;
      for (const host of hostsOfLease(after)) renewed.set(host, nowMs);
      return undefined;
    },
    onFence: ({ name, power }, operator, world) => {
      if (power === 'Off') return undefined;
      const now = world.timeline.nowMs;
      const deadAfterMs = deadAfterMsOf(world);
      const since = answers.get(`${operator} ${name}`);
      if (since !== undefined && now - since >= deadAfterMs) return `${name} has answered for ${now - since} ms`;
      const { state, watchDelayMs, delayMs } = world.link(operator).faults;
      const agoMs = now - (renewed.get(name) ?? Number.NEGATIVE_INFINITY);
      const wasSeen = state === 'Open' && watchDelayMs === 0 && delayMs === 0 && agoMs >= UNDER_WAY_MS;
      return wasSeen && agoMs < deadAfterMs ? `${name} has renewed its lease ${agoMs} ms before` : undefined;
    },
  };
}

function doesAnswer(world: World, operator: string, name: string): boolean {
  const host = world.host(name);
  return host.isExecuting && host.answeringCertificate !== undefined && world.network.reaches(operator, name);
}

function deadAfterMsOf({ server }: World): number {
  const policy = server.list(HAPolicy)[0];
  const { failureDetection } = HAPolicy.spec.parse(policy?.spec ?? {});
  return failureDetection.deadAfterSeconds * 1000;
}

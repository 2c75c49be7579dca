import type { ScenarioInput } from '../scenario/scenario.ts';
import { runInput } from './run-seed.ts';

/** A scenario that fails, and the seed of the order in which it does. */
export interface Failing {
  readonly scenario: ScenarioInput;
  readonly seed: number;
}

/** Orders in which a smaller scenario is tried: what is left out changes the order of the rest. */
const ORDERS = 4;
/** With fewer there is nothing to choose from. */
const FEWEST_HOSTS = 2;

/**
 * Leaves out what the failure does not need: events first, many at once and then single ones, then VMs, then hosts.
 * @param failure that has to stay the same
 */
export async function shrink({ scenario, seed }: Failing, failure: string): Promise<Failing> {
  let best: Failing = { scenario, seed };
  const tryIt = async (candidate: ScenarioInput): Promise<boolean> => {
    for (let order = 0; order < ORDERS; order++) {
      const tried = best.seed + order * 7919;
      const outcome = await runInput(candidate, tried).catch(() => undefined);
      if (outcome?.failure !== failure) continue;
      best = { scenario: candidate, seed: tried };
      return true;
    }
    return false;
  };
  for (let before = sizeOf(best); ; before = sizeOf(best)) {
    await shrinkList(faultsIn(best.scenario), async (from, to) => {
      const { events, cluster } = best.scenario;
      return await tryIt({ cluster, events: { ...events, events: without(events.events ?? [], from, to) } });
    });
    await shrinkList((best.scenario.cluster.vms ?? []).length, async (from, to) => {
      const { events, cluster } = best.scenario;
      return await tryIt({ events, cluster: { ...cluster, vms: without(cluster.vms ?? [], from, to) } });
    });
    await shrinkList(best.scenario.cluster.hosts.length, async (from, to) => {
      const { events, cluster } = best.scenario;
      if (cluster.hosts.length - (to - from) < FEWEST_HOSTS) return false;
      return await tryIt({ events, cluster: { ...cluster, hosts: without(cluster.hosts, from, to) } });
    });
    if (sizeOf(best) === before) return best;
  }
}

/** How many events come before everything is healed: without that, nothing could be expected in the end. */
function faultsIn({ events: { events = [] } }: ScenarioInput): number {
  const healed = events.findIndex((event) => event.do === 'healAll');
  return healed < 0 ? events.length : healed;
}

function sizeOf({ scenario: { cluster, events } }: Failing): number {
  return (events.events ?? []).length + (cluster.vms ?? []).length + cluster.hosts.length;
}

/** Asks to leave out ever smaller parts of a list, from its end. */
async function shrinkList(length: number, leaveOut: (from: number, to: number) => Promise<boolean>): Promise<void> {
  let left = length;
  for (let size = Math.ceil(left / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let to = left; to > 0; to -= size) {
      const from = Math.max(0, to - size);
      if (await leaveOut(from, to)) left -= to - from;
    }
  }
}

function without<T>(list: readonly T[], from: number, to: number): T[] {
  return [...list.slice(0, from), ...list.slice(to)];
}

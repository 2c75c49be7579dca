import { compareText } from '../model/order.ts';
import { fnv1a64 } from '../virtual-machine/hash.ts';

/**
 * The host whose agent works on a Volume or Image: spread over the candidates by hash, so that few objects change
 * hands when a host comes or goes (rendezvous hashing, Thaler and Ravishankar 1998).
 *
 * @param key what the choice is for; things of one VM use the VM's key, so that their data lands on one host
 * @param candidates hosts that are ready and see the datastore
 */
export function workerHost(key: string, candidates: readonly string[]): string | undefined {
  return candidates
    .map((host) => ({ host, weight: fnv1a64(`${key}@${host}`) }))
    .toSorted((a, b) => Number(b.weight > a.weight) - Number(b.weight < a.weight) || compareText(a.host, b.host))
    .at(0)?.host;
}

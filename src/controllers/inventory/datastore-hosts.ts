import type { Informers } from '../informers.ts';
import { readiness, visibleDatastores } from './hosts.ts';

/** Hosts that are ready and can use the datastore now, by name. */
export function readyHostsWith(datastore: string, informers: Pick<Informers, 'hosts' | 'datastores'>): string[] {
  return informers.hosts
    .list()
    .filter((host) => readiness(host).ok && visibleDatastores(host, informers).includes(datastore))
    .map(({ metadata }) => metadata.name);
}

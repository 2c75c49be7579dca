import type { AskLeases } from '../../../src/controllers/ha/ask-leases.ts';
import { isSilent } from '../../../src/core/model/read-host.ts';
import type { Process } from '../engine/process.ts';
import type { World } from './world.ts';

/** A request within a cluster, and how long nobody is waited for, in milliseconds. */
const REQUEST_MS = 5;
const TIMEOUT_MS = 2_000;

/** Asks agents for what they see of a lease, as a process of this operator does. */
export function askLeasesOf(world: World, operator: string, process: Process): AskLeases {
  return async (host, hosts) => {
    const asked = hosts.filter((other) => other.metadata.name !== host && !isSilent(other));
    const answers = asked.map(({ metadata: { name } }) =>
      world.network.reaches(operator, name) ? world.host(name).seenLeases : undefined,
    );
    await process.spend(answers.includes(undefined) ? TIMEOUT_MS : REQUEST_MS);
    return answers.filter((answer) => answer !== undefined);
  };
}

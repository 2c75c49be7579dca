import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from './control-plane/https.ts';
import { openControlPlane } from './control-plane/start.ts';
import { agentCredentials, operatorCredentials, refreshCredentials } from './credentials.ts';
import { listHosts } from './host/lab-host.ts';
import { findIdentity } from './slots.ts';

/** Keeps the tokens of a lab fresh for as long as it is up. A process of the lab: `credentials-keeper.ts CHECKOUT INSTANCE`. */
const EVERY_MS = 15_000;

const [checkout, instance] = process.argv.slice(2);
if (checkout === undefined || instance === undefined) throw new Error('Usage: credentials-keeper.ts CHECKOUT INSTANCE');
const lab = findIdentity(checkout, instance);
if (!lab) throw new Error(`The lab "${instance}" of ${checkout} is not up.`);
const controlPlane = await openControlPlane({ identity: lab, address: lab.subnet.gateway });

for (;;) {
  const hosts = listHosts(lab).filter((host) => host.hasPower());
  for (const credentials of [operatorCredentials(lab), ...hosts.map(agentCredentials)]) {
    try {
      await refreshCredentials(controlPlane, credentials);
    } catch (error) {
      // The API server may be away for a while: a token outlasts that, and the next round comes soon.
      process.stderr.write(`${credentials.path}: ${reasonOf(error)}\n`);
    }
  }
  await sleep(EVERY_MS);
}

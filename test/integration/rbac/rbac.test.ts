import { afterAll, beforeAll } from 'vitest';
import { explainToTenants } from './explain.ts';
import { type InstalledCluster, startInstalledCluster } from './installed.ts';
import { intents } from './intents.ts';
import { stolenToken } from './stolen-token.ts';
import { whoMayWhat } from './who-may-what.ts';

/** One cluster for all: an API server takes memory and time. */
let cluster: InstalledCluster;
beforeAll(async () => {
  cluster = await startInstalledCluster('rbac');
});
afterAll(() => cluster?.remove());

const installed = () => cluster;
whoMayWhat(installed);
stolenToken(installed);
intents(installed);
explainToTenants(installed);

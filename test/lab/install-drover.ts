import { join } from 'node:path';
import { bmcOf } from './bmc/bmcs.ts';
import { bmcObjects, clusterObjects } from './cluster-objects.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import type { LabIdentity } from './identity.ts';

/** What does an administrator apply to a cluster to have Drover in it? */
const APPLY = ['apply', '--server-side', '--force-conflicts', '--field-manager=drover-lab'];

/** The CRDs first: roles, policies and objects need their kinds to be there. */
export async function installDrover(checkout: string, controlPlane: ControlPlane): Promise<void> {
  const crds = join(checkout, 'crds');
  await controlPlane.kubectl([...APPLY, '-f', crds]);
  await controlPlane.kubectl(['wait', '--for=condition=Established', '--timeout=60s', '-f', crds]);
  await controlPlane.kubectl([...APPLY, '-f', join(checkout, 'deploy')]);
}

/** The lab's Cluster, Datastore, network and Image. */
export async function declareCluster(controlPlane: ControlPlane): Promise<void> {
  await apply(controlPlane, clusterObjects());
}

/** By what the power of the hosts is switched. Their agents must have registered them. */
export async function declareBmcs(
  lab: LabIdentity,
  hosts: readonly { readonly name: string; readonly index: number }[],
  controlPlane: ControlPlane,
): Promise<void> {
  const names = hosts.map(({ name }) => `hosts.drover.dev/${name}`);
  await controlPlane.kubectl(['wait', '--for=create', '--timeout=60s', ...names]);
  const bmcs = await Promise.all(hosts.map(async ({ name, index }) => ({ host: name, bmc: await bmcOf(lab, index) })));
  await apply(controlPlane, bmcObjects(bmcs));
}

async function apply(controlPlane: ControlPlane, items: readonly object[]): Promise<void> {
  await controlPlane.kubectl([...APPLY, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

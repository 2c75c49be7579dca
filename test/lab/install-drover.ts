import { join } from 'node:path';
import { clusterObjects } from './cluster-objects.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';

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
  await controlPlane.kubectl(
    [...APPLY, '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: clusterObjects() }),
  );
}

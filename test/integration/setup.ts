import type { TestProject } from 'vitest/node';
import { removeAbandonedControlPlanes, startOwnControlPlane } from './own-control-plane.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of the admin kubeconfig of the run's API server. */
    kubeconfig: string;
  }
}

/** Starts the API server that all integration tests of this run share. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandonedControlPlanes();
  const { controlPlane, remove } = await startOwnControlPlane('shared');
  project.provide('kubeconfig', controlPlane.kubeconfig);
  return remove;
}

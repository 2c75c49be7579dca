import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from '../lab/control-plane/control-plane.ts';
import { startControlPlane } from '../lab/control-plane/start.ts';
import { factsOf } from '../lab/proc.ts';
import { stopAllProcesses } from '../lab/processes.ts';
import { claimIdentity, releaseIdentity } from '../lab/slots.ts';

/** A control plane that one test run or one test file has for itself. */
export interface OwnControlPlane {
  controlPlane: ControlPlane;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
}

const CHECKOUT = join(import.meta.dirname, '..', '..');
/** The process id in the name tells later runs whose control planes were left behind. */
const INSTANCE = /^it-(?<pid>\d+)(?:-|$)/;

/**
 * Starts etcd and kube-apiserver with nothing in them. Tests that only use the API share the run's (`sharedClient` in
 * control-plane.ts); those that kill it, compact it or fill it start their own.
 */
export async function startOwnControlPlane(
  purpose: string,
  apiServerArgs: readonly string[] = [],
): Promise<OwnControlPlane> {
  const identity = claimIdentity(CHECKOUT, `it-${process.pid}-${purpose}`);
  const remove = async () => {
    await stopAllProcesses(identity.folder, { graceMs: 0 });
    releaseIdentity(identity);
    rmSync(identity.folder, { recursive: true, force: true });
  };
  try {
    const controlPlane = await startControlPlane({ identity, apiServerArgs });
    return {
      controlPlane,
      remove: async () => {
        await controlPlane.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Stops the control planes of test runs that were killed before they could. */
export async function removeAbandonedControlPlanes(): Promise<void> {
  const folder = join(CHECKOUT, '.lab');
  for (const instance of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const pid = INSTANCE.exec(instance)?.groups?.['pid'];
    if (pid === undefined || factsOf(Number(pid))) continue;
    const identity = claimIdentity(CHECKOUT, instance);
    await stopAllProcesses(identity.folder, { graceMs: 0 });
    releaseIdentity(identity);
    rmSync(identity.folder, { recursive: true, force: true });
  }
}

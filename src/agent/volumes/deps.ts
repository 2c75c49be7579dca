import type { Logger } from 'pino';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { Volume } from '../../api/volume.ts';
import type { KubeApi, SharedInformer } from '../../kube/index.ts';
import type { Libvirt } from '../../libvirt/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import type { Datastores } from '../datastores/datastores.ts';

/** What the Volumes of a host need from the rest of the agent. */
export interface VolumesDependencies {
  /** Name of this host. */
  readonly host: string;
  readonly client: KubeApi;
  /** Volumes whose status names this host. */
  readonly volumes: SharedInformer<Volume>;
  /** VirtualMachineInstances whose spec names this host: their disks may be open here. */
  readonly instances: SharedInformer<VirtualMachineInstance>;
  readonly datastores: Datastores;
  readonly libvirt: Pick<Libvirt, 'call'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Volumes that are made or grown at once; more wait. Absent: 4. */
  readonly jobsAtOnce?: number;
  /** How soon a failed job is tried again for the first time; doubles up to 5 min. Absent: 5 s. */
  readonly retryMs?: number;
}

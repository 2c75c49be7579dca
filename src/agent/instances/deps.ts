import type { Logger } from 'pino';
import type { InstanceNic, VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { NicPort } from '../../domain/index.ts';
import type { HostFiles } from '../../host/index.ts';
import type { EventRecorder, KubeApi, SharedInformer } from '../../kube/index.ts';
import type { Libvirt } from '../../libvirt/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import type { Datastores } from '../datastores/datastores.ts';
import type { IsolationWatch } from '../isolation/watch.ts';
import type { StartVerdict } from '../storage-lease/start-gate.ts';

/** Index of instances by the UUID of their domain. */
export const BY_DOMAIN_UUID = 'domainUUID';

/** What the instances of a host need from the rest of the agent. */
export interface InstancesDeps {
  /** Name of this host. */
  readonly host: string;
  /** Boot of this host, or the term of one: what Host.status.bootID says. */
  readonly bootID: string;
  readonly client: KubeApi;
  readonly events: EventRecorder;
  /** VirtualMachineInstances whose spec names this host, with the index `BY_DOMAIN_UUID`. */
  readonly instances: SharedInformer<VirtualMachineInstance>;
  /** The same whose VM moves to this host. */
  readonly incoming: SharedInformer<VirtualMachineInstance>;
  readonly libvirt: Libvirt;
  readonly virtualization: 'kvm' | 'qemu';
  /** CPU features that a guest can be given here, sorted. @throws LibvirtError, LibvirtTransportError */
  readonly cpuFeatures: () => Promise<readonly string[]>;
  /** Makes sure that the bridge of a NIC is there. @throws CodedError when it cannot be. */
  readonly portOf: (nic: InstanceNic) => Promise<NicPort>;
  /** What an isolated host does with its VMs, whatever their intents say. */
  readonly isolation: Pick<IsolationWatch, 'stop' | 'onChange'>;
  /** What the host has lost of what disks lie on. */
  readonly storage: Pick<Datastores, 'lostDatastoreOf' | 'onChange'>;
  /** Whether the host's lease on storage lets a guest start. @throws Error when that is not known. */
  readonly mayStart: () => StartVerdict;
  /** Opens user-data that was sealed for this host; see `openSealed`. @throws Error when it cannot be opened. */
  readonly openUserData: (box: string, context: string) => string;
  /** Directory of what must survive a reboot. */
  readonly stateDirectory: string;
  /** Directory of the cloud-init seeds: for secrets, so best in memory. */
  readonly seedDirectory: string;
  /** Where libvirt writes the logs of domains; consoles are logged there too. */
  readonly logDirectory: string;
  /** Where libvirt's QEMU driver keeps its record of each running domain. */
  readonly domainRunDirectory: string;
  /** Pid file of the libvirt daemon. */
  readonly daemonPidFile: string;
  readonly files: HostFiles;
  /** How many VMs are worked on at once. */
  readonly concurrency: number;
  /** How often all domains are listed although nothing was missed. Absent: 60 s. */
  readonly resyncIntervalMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

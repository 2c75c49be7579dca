import type { Logger } from 'pino';
import { Datastore } from '../api/datastore.ts';
import { Host } from '../api/host.ts';
import { Image } from '../api/image.ts';
import { VirtualSwitch } from '../api/network.ts';
import { VirtualMachineInstance } from '../api/virtual-machine-instance.ts';
import { Volume } from '../api/volume.ts';
import type { Clock, KubeApi } from '../kube/index.ts';
import { typedInformer } from '../runtime/typed-informer.ts';
import { BY_DOMAIN_UUID } from './instances/index.ts';
import { operatorCertificateInformer } from './usage/operator-certificate.ts';
import { FIELD_MANAGER } from './write-status.ts';

export type AgentInformers = ReturnType<typeof agentInformers>;

/**
 * What the agent of one host watches. Kinds of which a host may have few among many are selected by host at the API
 * server, so that the agent's cost grows with its host, not with the fleet.
 */
export function agentInformers(client: KubeApi, host: string, clock: Clock, log: Logger) {
  const common = (kind: string) => ({
    client,
    clock,
    fieldManagers: [FIELD_MANAGER],
    // Everyday life of a watch; an API server that stays away shows in the heartbeat.
    onError: (error: unknown) => log.info({ kind, why: String(error) }, 'a list or watch ended; going on with another'),
  });
  return {
    instances: typedInformer(VirtualMachineInstance, {
      ...common('VirtualMachineInstance'),
      fieldSelector: `spec.host=${host}`,
      indexes: { [BY_DOMAIN_UUID]: ({ spec }) => [spec.domainUUID] },
    }),
    incoming: typedInformer(VirtualMachineInstance, {
      ...common('VirtualMachineInstance'),
      fieldSelector: `spec.migration.targetHost=${host}`,
    }),
    volumes: typedInformer(Volume, { ...common('Volume'), fieldSelector: `status.host=${host}` }),
    images: typedInformer(Image, { ...common('Image'), fieldSelector: `status.host=${host}` }),
    hosts: typedInformer(Host, { ...common('Host'), fieldSelector: `metadata.name=${host}` }),
    operatorCertificate: operatorCertificateInformer(common('ConfigMap')),
    datastores: typedInformer(Datastore, common('Datastore')),
    switches: typedInformer(VirtualSwitch, common('VirtualSwitch')),
  };
}

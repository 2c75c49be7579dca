import { Host } from '../../../src/api/host.ts';
import { Image } from '../../../src/api/image.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import { type KindRef, type KubeClient, type KubeObject, leaseKind } from '../../../src/kube/index.ts';
import { COMPLETE_OBJECTS } from '../../builders/complete-objects.ts';
import type { Verdict } from './verdict.ts';

export const EVENT: KindRef = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
const MANAGER = { fieldManager: 'drover-agent', force: true };

export function complete(kind: KindRef): KubeObject {
  const [object] = COMPLETE_OBJECTS[kind.kind] ?? [];
  if (object === undefined) throw new Error(`There is no complete ${kind.kind}`);
  return structuredClone(object);
}

export function bare(kind: KindRef, name: string): KubeObject {
  const metadata = { name, ...(kind.namespaced && { namespace: 'default' }) };
  return { apiVersion: `${kind.group}/${kind.version}`, kind: kind.kind, metadata };
}

/** An instance that is named after its host. */
export function instance(host: string): KubeObject {
  const { spec } = complete(VirtualMachineInstance);
  const object = bare(VirtualMachineInstance, host);
  return {
    ...object,
    metadata: { ...object.metadata, finalizers: ['drover.dev/cleanup'] },
    spec: { ...Object(spec), host },
  };
}

/** A Volume or Image that the operator gave to the host, and is named after it. */
export function worked(kind: KindRef, host: string): KubeObject {
  const attachedTo = kind === Volume ? { attachedTo: 'web' } : {};
  return { ...bare(kind, host), spec: complete(kind).spec, status: { host, ...attachedTo } };
}

/** Applies a status as an agent does; the server stores nothing. */
export function applyStatus(kind: KindRef, name: string, status: object) {
  return (client: KubeClient) =>
    client.applyStatus(kind, { ...bare(kind, name), status }, { ...MANAGER, dryRun: true });
}

/** Patches a status as an intruder would, who needs no field manager. */
function patchStatus(kind: KindRef, name: string, status: object) {
  const ref = bare(kind, name).metadata;
  return (client: KubeClient) =>
    client.patch(kind, ref, { type: 'merge', body: { status } }, { subresource: 'status', dryRun: true });
}

function create(kind: KindRef, object: KubeObject) {
  return (client: KubeClient) => client.create(kind, object, { dryRun: true });
}

export function host(name: string, more: { spec?: object; metadata?: object } = {}): KubeObject {
  const object = bare(Host, name);
  return { ...object, ...more, metadata: { ...object.metadata, ...more.metadata } };
}

export function lease(name: string, namespace = 'drover-system'): KubeObject {
  const spec = { holderIdentity: 'host-1', leaseDurationSeconds: 15 };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec };
}

export function event(name: string, reportingInstance: string): KubeObject & Record<string, unknown> {
  return {
    ...bare(EVENT, name),
    eventTime: '2026-01-02T03:04:05.000000Z',
    type: 'Normal',
    reason: 'Started',
    action: 'Starting',
    note: 'the domain runs',
    reportingController: 'drover.dev/agent',
    reportingInstance,
    regarding: { apiVersion: 'drover.dev/v1alpha1', kind: 'VirtualMachine', name: 'web', namespace: 'default' },
  };
}

/** One call with an agent's token. */
export interface AgentCall {
  readonly call: string;
  readonly make: (client: KubeClient) => Promise<unknown>;
  /** Absent: the agent of host-1 may. */
  readonly refused?: { readonly by: Verdict['by']; readonly words: string };
}

const onlyInstances = { by: 'admission', words: 'writes only statuses of instances on that host' } as const;
const onlyAssigned = (plural: string) =>
  ({ by: 'admission', words: `writes only statuses of ${plural} that the operator gave to that host` }) as const;
const onlyHost = { by: 'admission', words: 'may only create the Host of that name' } as const;
const onlyLease = { by: 'admission', words: 'writes only the Lease drover-system/host-host-1' } as const;
const onlyEvents = { by: 'admission', words: 'reports only Events with reportingInstance host-1' } as const;
const rbac = { by: 'rbac', words: 'cannot' } as const;

const assignmentRows = [
  { kind: Volume, plural: 'volumes' },
  { kind: Image, plural: 'images' },
].flatMap(({ kind, plural }): AgentCall[] => {
  const refused = onlyAssigned(plural);
  return [
    {
      call: `${plural}: status of one that was given to host-1`,
      make: applyStatus(kind, 'host-1', { phase: 'Ready' }),
    },
    {
      call: `${plural}: status of one that was given to host-2`,
      make: applyStatus(kind, 'host-2', { phase: 'Ready' }),
      refused,
    },
    { call: `${plural}: takes one from host-2`, make: applyStatus(kind, 'host-2', { host: 'host-1' }), refused },
    {
      call: `${plural}: takes one that was given to nobody`,
      make: applyStatus(kind, 'unassigned', { host: 'host-1' }),
      refused,
    },
    { call: `${plural}: gives its own away`, make: patchStatus(kind, 'host-1', { host: 'host-2' }), refused },
    { call: `${plural}: drops its own`, make: patchStatus(kind, 'host-1', { host: null }), refused },
  ];
});

/** Every write that RBAC lets the agent of host-1 try, and what comes of it. */
export const AGENT_CALLS: readonly AgentCall[] = [
  {
    call: 'instances: status of its own',
    make: applyStatus(VirtualMachineInstance, 'host-1', { host: 'host-1', phase: 'Running' }),
  },
  {
    call: 'instances: status of its own in the name of host-2',
    make: applyStatus(VirtualMachineInstance, 'host-1', { host: 'host-2', phase: 'Running' }),
    refused: onlyInstances,
  },
  {
    call: 'instances: status of its own in no name',
    make: applyStatus(VirtualMachineInstance, 'host-1', { phase: 'Off' }),
    refused: onlyInstances,
  },
  {
    call: "instances: says that host-2's is off, so that it would run twice",
    make: applyStatus(VirtualMachineInstance, 'host-2', { host: 'host-2', phase: 'Off' }),
    refused: onlyInstances,
  },
  {
    call: "instances: status of host-2's in its own name",
    make: applyStatus(VirtualMachineInstance, 'host-2', { host: 'host-1', phase: 'Off' }),
    refused: onlyInstances,
  },
  ...assignmentRows,
  {
    call: 'volumes: says who uses its own',
    make: patchStatus(Volume, 'host-1', { attachedTo: 'other' }),
    refused: onlyAssigned('volumes'),
  },
  {
    call: 'volumes: says that nobody uses its own',
    make: patchStatus(Volume, 'host-1', { attachedTo: null }),
    refused: onlyAssigned('volumes'),
  },
  { call: 'hosts: creates its own', make: create(Host, host('host-1')) },
  {
    call: 'hosts: creates its own with the label of its name',
    make: create(Host, host('host-1', { metadata: { labels: { 'kubernetes.io/hostname': 'host-1' } } })),
  },
  { call: 'hosts: creates another', make: create(Host, host('host-3')), refused: onlyHost },
  {
    call: 'hosts: creates its own with a spec',
    make: create(Host, host('host-1', { spec: { reserved: { memory: '1Gi' } } })),
    refused: onlyHost,
  },
  {
    call: 'hosts: creates its own with a label that Clusters select by',
    make: create(Host, host('host-1', { metadata: { labels: { rack: 'a' } } })),
    refused: onlyHost,
  },
  {
    call: 'hosts: creates its own with the label of another name',
    make: create(Host, host('host-1', { metadata: { labels: { 'kubernetes.io/hostname': 'host-2' } } })),
    refused: onlyHost,
  },
  {
    call: 'hosts: creates its own with a finalizer',
    make: create(Host, host('host-1', { metadata: { finalizers: ['example.org/stays'] } })),
    refused: onlyHost,
  },
  {
    call: 'hosts: creates its own with an annotation',
    make: create(Host, host('host-1', { metadata: { annotations: { note: 'x' } } })),
    refused: onlyHost,
  },
  {
    call: 'hosts: status of host-2',
    make: applyStatus(Host, 'host-2', { address: '192.0.2.66' }),
    refused: { by: 'admission', words: 'writes only the status of that Host' },
  },
  {
    call: 'hosts: spec',
    make: (client) => client.patch(Host, { name: 'host-2' }, { type: 'merge', body: { spec: {} } }),
    refused: rbac,
  },
  { call: 'hosts: deletes', make: (client) => client.delete(Host, { name: 'host-2' }), refused: rbac },
  {
    call: 'instances: spec',
    make: (client) => client.update<KubeObject>(VirtualMachineInstance, instance('host-1')),
    refused: rbac,
  },
  {
    call: 'instances: takes the finalizer off',
    make: (client) =>
      client.patch(VirtualMachineInstance, bare(VirtualMachineInstance, 'host-1').metadata, {
        type: 'merge',
        body: { metadata: { finalizers: [] } },
      }),
    refused: rbac,
  },
  { call: 'leases: creates its heartbeat', make: create(leaseKind, lease('host-host-1')) },
  { call: "leases: creates host-2's heartbeat", make: create(leaseKind, lease('host-host-2')), refused: onlyLease },
  { call: 'leases: becomes the operator', make: create(leaseKind, lease('drover-operator')), refused: onlyLease },
  {
    call: 'leases: writes in another namespace',
    make: create(leaseKind, lease('host-host-1', 'default')),
    refused: rbac,
  },
  { call: 'events: reports', make: create(EVENT, event('a', 'host-1')) },
  { call: 'events: reports in the name of host-2', make: create(EVENT, event('a', 'host-2')), refused: onlyEvents },
  {
    call: 'events: reports in the name of the operator',
    make: create(EVENT, event('a', 'drover-operator')),
    refused: onlyEvents,
  },
];

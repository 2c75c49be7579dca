import * as z from 'zod';
import { API_VERSION, SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { parseBytes } from '../../../src/api/common/quantity.ts';
import type { KubeObject } from '../../../src/kube/index.ts';

const Bytes = z.string().transform((quantity) => parseBytes(quantity));

/** A cluster at its beginning: the content of a scenario's `cluster.yaml`. */
export const ClusterPlan = z.strictObject({
  /** Replicas of the operator. */
  operators: z.int().min(1).max(3).default(1),
  hosts: z.array(
    z.strictObject({
      name: z.string(),
      cpuCores: z.int().default(16),
      memory: Bytes.prefault('64Gi'),
      /** Domains that are not Drover's, running from the beginning. */
      foreignDomains: z.array(z.string()).default([]),
      /** Not switched on at the beginning. */
      off: z.boolean().default(false),
      /** Whether `spec.power.bmc` names its BMC, where high availability is on. */
      bmc: z.boolean().default(true),
      /** Whether a keeper holds its lease on storage, with a watchdog behind it. */
      watchdog: z.boolean().default(false),
      /** How far its clock is ahead. */
      clockSkewSeconds: z.number().default(0),
    }),
  ),
  /** High availability is switched on, by a policy that says this. Absent: it is off. */
  ha: z.record(z.string(), z.unknown()).optional(),
  /** Room that is kept for failovers (Cluster.spec.ha.admissionControl). Absent: none, so that all that fits is started. */
  admissionControl: z.record(z.string(), z.unknown()).default({ type: 'Disabled' }),
  datastores: z
    .array(
      z.strictObject({
        name: z.string(),
        shared: z.boolean().default(true),
        /** Whether QEMU's image locks work there. */
        locks: z.boolean().default(true),
      }),
    )
    .default([{ name: 'shared', shared: true, locks: true }]),
  /** VMs in short; whatever else a VM may say stands in `objects`. */
  vms: z
    .array(
      z.strictObject({
        name: z.string(),
        memory: z.string().default('1Gi'),
        /** Datastore of its one disk. */
        datastore: z.string().default('shared'),
        disk: z.boolean().default(true),
        runStrategy: z.enum(['Always', 'RerunOnFailure', 'Halted']).default('Always'),
        ha: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .default([]),
  /** Further objects, as a user would apply them. */
  objects: z
    .array(
      z.looseObject({
        kind: z.string(),
        metadata: z.looseObject({ name: z.string() }),
        spec: z.record(z.string(), z.unknown()).default({}),
      }),
    )
    .default([]),
});
export type ClusterPlan = z.output<typeof ClusterPlan>;
export type ClusterPlanInput = z.input<typeof ClusterPlan>;

/** The objects that users of this cluster have applied at its beginning. */
export function objectsOf(plan: ClusterPlan): KubeObject[] {
  const hasCluster = plan.objects.some(({ kind }) => kind === 'Cluster');
  const cluster = {
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name: 'lab', annotations: { 'drover.dev/is-default-cluster': 'true' } },
    spec:
      plan.ha === undefined
        ? {}
        : { ha: { enabled: true, policyName: 'policy', admissionControl: plan.admissionControl } },
  };
  return [
    ...(hasCluster ? [] : [cluster]),
    ...plan.datastores.map(({ name, shared }) => ({
      apiVersion: API_VERSION,
      kind: 'Datastore',
      metadata: { name },
      spec: { type: 'Directory', path: pathOf(name), shared },
    })),
    ...(plan.ha === undefined ? [] : haObjects(plan, plan.ha)),
    ...plan.objects.map((object) => withNamespace({ apiVersion: API_VERSION, ...object })),
    ...plan.vms.map((vm) => virtualMachine(vm)),
  ];
}

function haObjects({ hosts }: ClusterPlan, policy: Readonly<Record<string, unknown>>): KubeObject[] {
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bmc', namespace: SYSTEM_NAMESPACE },
    data: { username: encode('drover'), password: encode('secret') },
  };
  return [
    secret,
    { apiVersion: API_VERSION, kind: 'HAPolicy', metadata: { name: 'policy' }, spec: policy },
    ...hosts
      .filter(({ bmc }) => bmc)
      .map(({ name }) => ({
        apiVersion: API_VERSION,
        kind: 'Host',
        metadata: { name },
        spec: { power: { bmc: { type: 'Redfish', address: bmcAddress(name), credentialsSecret: 'bmc' } } },
      })),
  ];
}

/** Name of a host's BMC in the network. */
export function bmcAddress(host: string): string {
  return `bmc-of-${host}`;
}

export function pathOf(datastore: string): string {
  return `/ds/${datastore}`;
}

const CLUSTER_SCOPED: readonly string[] = ['Cluster', 'Datastore', 'HAPolicy', 'Host', 'VirtualSwitch', 'Node'];

function withNamespace(object: KubeObject): KubeObject {
  if (CLUSTER_SCOPED.includes(object.kind)) return object;
  return { ...object, metadata: { namespace: 'default', ...object.metadata } };
}

export function virtualMachine({
  name,
  memory,
  datastore,
  disk,
  runStrategy,
  ha,
}: ClusterPlan['vms'][number]): KubeObject {
  const volumeTemplate = { datastoreName: datastore, size: '10Gi' };
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachine',
    metadata: { name, namespace: 'default' },
    spec: {
      runStrategy,
      memory: { size: memory },
      disks: disk ? [{ name: 'root', volumeTemplate }] : [],
      terminationGracePeriodSeconds: 20,
      ...(ha !== undefined && { ha }),
    },
  };
}

import * as z from 'zod';

/** API group of every Drover kind. */
export const GROUP = 'drover.dev';
/** The one version served today. */
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Namespace of the operator, the agents, their leases and certificates. */
export const SYSTEM_NAMESPACE = 'drover-system';

/** Annotation on the one Cluster that VirtualMachines without `clusterName` belong to: `"true"`. */
export const DEFAULT_CLUSTER_ANNOTATION = 'drover.dev/is-default-cluster';
/** Annotation on a VirtualMachine: a new value asks for one restart, as `kubectl rollout restart` does. */
export const RESTARTED_AT_ANNOTATION = 'drover.dev/restartedAt';
/** Finalizer: the object stays until what it stands for on a host (a domain, a file) is gone. Removed by the operator. */
export const CLEANUP_FINALIZER = 'drover.dev/cleanup';
/** Finalizer: the Volume may be in use. Agents touch no data of a deleted Volume before the operator has removed it. */
export const VOLUME_PROTECTION_FINALIZER = 'drover.dev/volume-protection';

/** Label on everything made for a VirtualMachine: its name. */
export const VIRTUAL_MACHINE_LABEL = 'drover.dev/virtual-machine';

/** A name of another object (RFC 1123 subdomain). */
export const ObjectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

/** A short name inside one object: of a disk, a NIC (RFC 1123 label). */
export const EntryName = z
  .string()
  .min(1)
  .max(40)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** A MAC address, lower case, colons: `52:54:00:12:34:56`. */
export const MacAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);

/** A path below a directory: no leading slash, no `..`, no empty part. */
export const RelativePath = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/);

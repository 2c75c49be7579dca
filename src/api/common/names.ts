import * as z from 'zod';
import { type CelRule, matching, withRules } from './cel.ts';

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
/**
 * Annotation on a Host: its boot id (status.bootID), by which an administrator confirms that this boot is over and nothing of it
 * runs any more, as after having pulled its plugs.
 */
export const CONFIRM_FENCED_ANNOTATION = 'drover.dev/confirm-fenced';
/** Finalizer: the object stays until what it stands for on a host (a domain, a file) is gone. Removed by the operator. */
export const CLEANUP_FINALIZER = 'drover.dev/cleanup';
/** Finalizer: the Volume may be in use. Agents touch no data of a deleted Volume before the operator has removed it. */
export const VOLUME_PROTECTION_FINALIZER = 'drover.dev/volume-protection';

/** Annotation on an instance: why its host was chosen, one line per host, as it was decided. Set by the operator. */
export const PLACEMENT_ANNOTATION = 'drover.dev/placement';

/** Label on everything made for a VirtualMachine: its name. */
export const VIRTUAL_MACHINE_LABEL = 'drover.dev/virtual-machine';

/** A name of another object (RFC 1123 subdomain). */
export const ObjectName = matching(
  z.string().max(253),
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  'is no name of an object: use lower-case letters, digits, "-" and ".", with a letter or digit first and last',
);

/** A short name inside one object: of a disk, a NIC (RFC 1123 label). */
export const EntryName = matching(
  z.string().max(40),
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  'is no usable name: use lower-case letters, digits and "-", with a letter or digit first and last',
);

/** A unicast MAC address, lower case, colons: `52:54:00:12:34:56`. */
export const MacAddress = withRules(
  matching(
    z.string().max(17),
    /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/,
    'is no MAC address: write six pairs of lower-case hexadecimal digits with colons, as in 52:54:00:12:34:56',
  ),
  {
    rule: "!self.matches('^.[13579bdf]')",
    message: 'is a multicast address: a NIC needs an even second digit, as in 52:54:00:12:34:56',
  },
);

/** A path below a directory: no leading slash, no `..`, no empty part. */
export const RelativePath = matching(
  z.string().max(1024),
  /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
  'is no path below a directory: join names of letters, digits, "_", "." and "-" with "/", none beginning with "." or "/", as in debian/12.qcow2',
);

/** A VirtualMachine and its instance have the same name. */
export const VIRTUAL_MACHINE_NAME_RULE: CelRule = {
  rule: 'size(self.metadata.name) <= 63',
  message: 'is too long for a VirtualMachine: at most 63 characters, since it becomes the host name of the guest',
  fieldPath: '.metadata.name',
};

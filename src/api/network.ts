import * as z from 'zod';
import { matching, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { HostNames, NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';

const VirtualSwitchSpec = withRules(
  z.object({
    // 15 is Linux's IFNAMSIZ without its NUL.
    uplink: matching(
      z.string().max(15),
      /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/,
      'is no name of a network interface: use letters, digits, "_", "." and "-", as in eth1 or enp3s0',
    )
      .optional()
      .meta({
        description:
          'Network interface of every host that joins the switch to the physical network. Drover takes it into a bridge, so it must carry no IP address. Absent: the switch joins only VMs of the same host.',
      }),
    mtu: z.int().min(576).max(9216).default(1500).meta({ description: 'Largest packet, in bytes. Default 1500.' }),
  }),
  {
    rule: 'self == oldSelf',
    message: 'cannot be changed: VMs may be plugged into the VirtualSwitch; make a new one',
  },
).meta({ description: 'How the switch is built on every host.' });

const VirtualSwitchStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    hosts: HostNames.optional().meta({
      description: 'Hosts that have the switch, sorted. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
    conditions: Conditions,
  })
  .meta({ description: 'Where the switch is; written by the operator. Default: not seen yet, with Ready Unknown.' });

/** A switch that spans hosts (vSphere: distributed switch): one Linux bridge on each, and one per VLAN. */
export const VirtualSwitch = defineKind({
  kind: 'VirtualSwitch',
  plural: 'virtualswitches',
  shortName: 'vsw',
  scope: 'Cluster',
  description: 'A switch that spans hosts: a Linux bridge on each of them, joined by the uplink.',
  example: { metadata: { name: 'lan' }, spec: { uplink: 'eth1' } },
  conditions: { Ready: 'At least one host has the switch. False: the message says why the hosts have not.' },
  spec: VirtualSwitchSpec,
  status: VirtualSwitchStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether some host has it',
    },
    { name: 'Uplink', type: 'string', jsonPath: '.spec.uplink', description: 'Interface that joins the hosts' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    { name: 'Hosts', type: 'string', jsonPath: '.status.hosts', description: 'Hosts that have it', priority: 1 },
  ],
});
export type VirtualSwitch = z.output<typeof VirtualSwitch.object>;
export type VirtualSwitchStatus = NonNullable<VirtualSwitch['status']>;

const PortGroupSpec = withRules(
  z.object({
    virtualSwitchName: ObjectName.meta({ description: 'VirtualSwitch that the ports belong to.' }),
    vlan: z
      .int()
      .min(1)
      .max(4094)
      .optional()
      .meta({ description: 'VLAN of the ports, 1 to 4094; guests see untagged packets. Absent: untagged.' }),
  }),
  {
    rule: 'self == oldSelf',
    message: 'cannot be changed: VMs may be plugged into the PortGroup; make a new one',
  },
).meta({ description: 'Which ports these are.' });

const PortGroupStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    conditions: Conditions,
  })
  .meta({
    description: 'Whether the ports can be used; written by the operator. Default: not seen yet, with Ready Unknown.',
  });

/** Ports of a VirtualSwitch on one VLAN, which VMs of the namespace can be plugged into. */
export const PortGroup = defineKind({
  kind: 'PortGroup',
  plural: 'portgroups',
  shortName: 'pg',
  scope: 'Namespaced',
  description:
    'Ports of a VirtualSwitch on one VLAN, for the VMs of the namespace. Give tenants no right to write it: who can write PortGroups can join any VLAN.',
  example: {
    metadata: { name: 'lan', namespace: 'default' },
    spec: { virtualSwitchName: 'lan', vlan: 42 },
  },
  conditions: { Ready: 'The VirtualSwitch is there and Ready.' },
  spec: PortGroupSpec,
  status: PortGroupStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether its switch is there',
    },
    { name: 'Switch', type: 'string', jsonPath: '.spec.virtualSwitchName', description: 'VirtualSwitch of the ports' },
    { name: 'VLAN', type: 'integer', jsonPath: '.spec.vlan', description: 'VLAN of the ports' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
  ],
});
export type PortGroup = z.output<typeof PortGroup.object>;
export type PortGroupStatus = NonNullable<PortGroup['status']>;

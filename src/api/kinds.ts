import { Cluster } from './cluster.ts';
import { Datastore } from './datastore.ts';
import { HAPolicy } from './ha-policy.ts';
import { Host } from './host.ts';
import { Image } from './image.ts';
import { Migration } from './migration.ts';
import { PortGroup, VirtualSwitch } from './network.ts';
import { RuleGroup } from './rule-group.ts';
import { VirtualMachine } from './virtual-machine.ts';
import { VirtualMachineInstance } from './virtual-machine-instance.ts';
import { Volume } from './volume.ts';

/** Every kind of the group, by name. */
export const KINDS = {
  Cluster,
  Datastore,
  HAPolicy,
  Host,
  Image,
  Migration,
  PortGroup,
  RuleGroup,
  VirtualMachine,
  VirtualMachineInstance,
  VirtualSwitch,
  Volume,
} as const;

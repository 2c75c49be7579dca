import { Host } from '../../../src/api/host.ts';
import { Migration } from '../../../src/api/migration.ts';
import { RuleGroup } from '../../../src/api/rule-group.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
import { isJson, type Json } from '../api/field-set.ts';
import type { Invariant, Seen } from './invariant.ts';

interface Group {
  readonly name: string;
  readonly type: unknown;
  readonly relation: unknown;
  readonly hosts: readonly unknown[];
  readonly members: readonly unknown[];
}

/** No VM is given a host against a required rule, as long as the operators see things as they are. */
export const rulesKept: Invariant = {
  name: 'required rules are kept',
  onCommit: ({ kind, before, after }, seen) => {
    if (kind.plural !== 'virtualmachineinstances' || !isJson(after?.spec) || seen.wereOperatorsMisled) return undefined;
    const { host } = after.spec;
    if (isJson(before?.spec) && before.spec['host'] === host) return undefined;
    // What may still run where it was, after its instance was torn away, goes on there: nobody has chosen that host.
    if (before === undefined && hostInStatus(seen, after) === host) return undefined;
    const { name } = after.metadata;
    for (const group of requiredGroups(seen)) {
      if (!group.members.includes(name)) continue;
      const why =
        group.type === 'VMsToHosts' ? againstHosts(group, host) : againstOthers(group, name, host, before, seen);
      if (why !== undefined) return `${name} was given ${String(host)}, against RuleGroup ${group.name}: ${why}`;
    }
    return undefined;
  },
};

function hostInStatus({ server }: Seen, { metadata }: KubeObject): unknown {
  const status = server.find(VirtualMachine, metadata)?.status;
  return isJson(status) ? status['host'] : undefined;
}

function requiredGroups({ server }: Seen): Group[] {
  return server.list(RuleGroup).flatMap(({ metadata: { name }, spec }) => {
    if (!isJson(spec) || spec['enforcement'] === 'Preferred') return [];
    return [
      {
        name,
        type: spec['type'],
        relation: spec['relation'],
        hosts: namesIn(spec['hosts']),
        members: namesIn(spec['virtualMachines']),
      },
    ];
  });
}

function namesIn(value: unknown): readonly unknown[] {
  return isJson(value) && Array.isArray(value['names']) ? value['names'] : [];
}

function againstHosts({ relation, hosts }: Group, host: unknown): string | undefined {
  if (relation === 'MustRunOn') return hosts.includes(host) ? undefined : 'it must run on others';
  return relation === 'MustNotRunOn' && hosts.includes(host) ? 'it must not run there' : undefined;
}

function againstOthers(
  { type, members }: Group,
  name: string,
  host: unknown,
  before: KubeObject | undefined,
  { server, hosts }: Seen,
): string | undefined {
  const others = server
    .list(VirtualMachineInstance)
    .filter(({ metadata }) => metadata.name !== name && members.includes(metadata.name))
    .flatMap(({ metadata, spec }) =>
      isJson(spec) && isPlaced(spec) ? [{ name: metadata.name, host: spec['host'] }] : [],
    );
  if (type === 'Separate') {
    const other = others.find((each) => each.host === host);
    return other && `${other.name} is there`;
  }
  // A group moves one by one, and what is on a host that is down, or proven to run nothing, stays behind for a moment.
  if (isJson(before?.spec) && before.spec['migration'] !== undefined) return undefined;
  const serves = (of: unknown) =>
    hosts.some(({ name, isExecuting }) => name === of && isExecuting && !isFenced(server.find(Host, { name })));
  const other = others.find((each) => each.host !== host && serves(each.host) && !isToMove(each.name, server));
  return other && `${other.name} is on ${String(other.host)}`;
}

/** Its move is decided, and may not stand in its intent yet: whoever is to be with it goes where it goes. */
function isToMove(name: string, server: Seen['server']): boolean {
  return server.list(Migration).some(({ spec, status }) => {
    const phase = isJson(status) ? status['phase'] : undefined;
    return isJson(spec) && spec['virtualMachineName'] === name && phase !== 'Succeeded' && phase !== 'Failed';
  });
}

function isFenced(host: KubeObject | undefined): boolean {
  const availability = isJson(host?.status) ? host.status['availability'] : undefined;
  return isJson(availability) && availability['state'] === 'Fenced';
}

function isPlaced(spec: Json): boolean {
  return spec['powerState'] !== 'Off' && spec['migration'] === undefined;
}

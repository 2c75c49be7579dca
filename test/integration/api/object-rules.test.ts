import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { placedRules } from './rules-of.ts';
import { type AnyObject, verdictOnCreate } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

interface Row {
  readonly rule: string;
  readonly refused: AnyObject;
  /** The field that the answer names. */
  readonly field: string;
  readonly message: string;
  /** The nearest object that is right. */
  readonly accepted: AnyObject;
}

const disk = (name: string, more: object = { volumeName: name }) => ({ name, ...more });
const nic = (name: string, more: object = {}) => ({ name, portGroup: 'lan', ...more });
const template = (more: object) => ({ volumeTemplate: { datastoreName: 'shared', ...more } });
const selector = (operator: string, values?: string[]) => ({
  hostSelector: { matchExpressions: [{ key: 'zone', operator, ...(values && { values }) }] },
});

function object(kind: string, spec: object, name = 'rules'): AnyObject {
  return { apiVersion: 'drover.dev/v1alpha1', kind, metadata: { name }, spec };
}
const vm = (spec: object, name?: string) => object('VirtualMachine', { memory: { size: '1Gi' }, ...spec }, name);
const admission = (admissionControl: object) => object('Cluster', { ha: { admissionControl } });
const bmc = { address: '192.0.2.21', credentialsSecret: 'bmc' };
const host = (name: string) => object('Host', {}, name);
const volume = (spec: object, name?: string) => object('Volume', { datastoreName: 'shared', ...spec }, name);
const ruleGroup = (spec: object) => object('RuleGroup', { virtualMachines: { names: ['web'] }, ...spec });
const toHosts = { type: 'VMsToHosts', hosts: { names: ['host-1'] }, relation: 'MustRunOn' };
const instance = (name: string) =>
  object(
    'VirtualMachineInstance',
    {
      virtualMachineUID: 'u',
      host: 'host-1',
      epoch: 1,
      domainUUID: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
      powerState: 'Off',
      restartPolicy: 'Always',
      gracePeriodSeconds: 0,
      machineType: 'q35',
      cpu: { sockets: 1, coresPerSocket: 1, threads: 1 },
      memoryBytes: 1,
      reserved: { cpuCores: 0, memoryBytes: 0 },
    },
    name,
  );

/** One row per rule that judges several fields of one object together. */
const ROWS: readonly Row[] = [
  {
    rule: 'a VM has at most 255 vCPUs',
    refused: vm({ cpu: { sockets: 64, coresPerSocket: 4 } }),
    field: 'spec.cpu',
    message: 'sockets × coresPerSocket × threads must be at most 255 vCPUs',
    accepted: vm({ cpu: { sockets: 5, coresPerSocket: 51 } }),
  },
  {
    rule: 'no more CPU is reserved than the VM has',
    refused: vm({ cpu: { coresPerSocket: 2, reservation: '2001m' } }),
    field: 'spec.cpu.reservation',
    message: 'cannot be more than the vCPUs',
    accepted: vm({ cpu: { coresPerSocket: 2, reservation: 2 } }),
  },
  {
    rule: 'a disk has a Volume',
    refused: vm({ disks: [disk('root', {})] }),
    field: 'spec.disks[0]',
    message: 'give exactly one of volumeName (an existing Volume) and volumeTemplate',
    accepted: vm({ disks: [disk('root')] }),
  },
  {
    rule: 'a disk has one Volume',
    refused: vm({ disks: [disk('root', { volumeName: 'a', ...template({ size: '1Gi' }) })] }),
    field: 'spec.disks[0]',
    message: 'give exactly one of volumeName (an existing Volume) and volumeTemplate',
    accepted: vm({ disks: [disk('root', template({ size: '1Gi' }))] }),
  },
  {
    rule: 'a blank disk has a size',
    refused: vm({ disks: [disk('root', template({}))] }),
    field: 'spec.disks[0].volumeTemplate.size',
    message: 'is missing: a blank Volume needs a size, as in 20Gi',
    accepted: vm({ disks: [disk('root', template({ source: { imageName: 'debian' } }))] }),
  },
  {
    rule: 'a Volume is attached once',
    refused: vm({ disks: [disk('a', { volumeName: 'data' }), disk('b', { volumeName: 'data' })] }),
    field: 'spec.disks',
    message: 'two disks name the same Volume',
    accepted: vm({ disks: [disk('a'), disk('b'), disk('c', template({ size: '1Gi' }))] }),
  },
  {
    rule: 'the Volume of a template is attached once',
    refused: vm({ disks: [disk('root', template({ size: '1Gi' })), disk('b', { volumeName: 'rules-root' })] }),
    field: 'spec.disks',
    message: 'a disk names the Volume that another disk makes by its volumeTemplate',
    accepted: vm({ disks: [disk('root', template({ size: '1Gi' })), disk('b', { volumeName: 'other-root' })] }),
  },
  {
    rule: 'disks and NICs have names of their own',
    refused: vm({ disks: [disk('lan')], nics: [nic('lan')] }),
    field: 'spec.nics',
    message: 'a disk and a NIC of one VM cannot have the same name: rename one of them',
    accepted: vm({ disks: [disk('root')], nics: [nic('lan')] }),
  },
  {
    rule: 'MAC addresses are unique in a VM',
    refused: vm({ nics: [nic('a', { mac: '52:54:00:12:34:56' }), nic('b', { mac: '52:54:00:12:34:56' })] }),
    field: 'spec.nics',
    message: 'two NICs have the same MAC address',
    accepted: vm({ nics: [nic('a', { mac: '52:54:00:12:34:56' }), nic('b', { mac: '52:54:00:12:34:57' }), nic('c')] }),
  },
  {
    rule: 'the boot order names what the VM has',
    refused: vm({ disks: [disk('root')], bootOrder: ['root', 'lan'] }),
    field: 'spec.bootOrder',
    message: 'every entry must be the name of a disk or NIC of this VM',
    accepted: vm({ disks: [disk('root')], nics: [nic('lan')], bootOrder: ['lan', 'root'] }),
  },
  {
    rule: 'the boot order names nothing twice',
    refused: vm({ disks: [disk('root')], bootOrder: ['root', 'root'] }),
    field: 'spec.bootOrder',
    message: 'names a disk or NIC twice',
    accepted: vm({ disks: [disk('root')], bootOrder: ['root'] }),
  },
  {
    rule: 'user-data comes from one place',
    refused: vm({ cloudInit: { userData: '#cloud-config', userDataSecret: { name: 's' } } }),
    field: 'spec.cloudInit.userData',
    message: 'give userData or userDataSecret, not both',
    accepted: vm({ cloudInit: { userDataSecret: { name: 's' } } }),
  },
  {
    rule: 'a selector of hosts for a VM compares with something',
    refused: vm(selector('In')),
    field: 'spec.hostSelector.matchExpressions[0]',
    message: 'In and NotIn need at least one value; Exists and DoesNotExist take none',
    accepted: vm(selector('In', ['north'])),
  },
  {
    rule: 'a host is dead later than it is a suspect',
    refused: object('HAPolicy', { failureDetection: { suspectAfterSeconds: 10, deadAfterSeconds: 10 } }),
    field: 'spec.failureDetection.deadAfterSeconds',
    message: 'must be longer than suspectAfterSeconds',
    accepted: object('HAPolicy', { failureDetection: { suspectAfterSeconds: 10, deadAfterSeconds: 11 } }),
  },
  {
    rule: 'a VM does not depend on itself',
    refused: vm({ ha: { dependsOn: [{ name: 'web' }] } }, 'web'),
    field: 'spec.ha.dependsOn',
    message: 'cannot depend on itself',
    accepted: vm({ ha: { dependsOn: [{ name: 'db' }] } }, 'web'),
  },
  {
    rule: 'a BMC of type Redfish has no cipher suite',
    refused: object('Host', { power: { bmc: { ...bmc, type: 'Redfish', cipherSuite: 17 } } }),
    field: 'spec.power.bmc.cipherSuite',
    message: 'belongs to type IPMI: leave it out',
    accepted: object('Host', { power: { bmc: { ...bmc, type: 'IPMI', cipherSuite: 17 } } }),
  },
  {
    rule: 'a BMC of type IPMI has no fields of Redfish',
    refused: object('Host', { power: { bmc: { ...bmc, type: 'IPMI', systemID: '1' } } }),
    field: 'spec.power.bmc.type',
    message: 'systemID, certificateAuthority and insecureSkipVerify belong to type Redfish',
    accepted: object('Host', { power: { bmc: { ...bmc, type: 'Redfish', systemID: '1' } } }),
  },
  {
    rule: 'a selector of hosts for a Cluster compares with nothing where it must not',
    refused: object('Cluster', selector('Exists', ['north'])),
    field: 'spec.hostSelector.matchExpressions[0]',
    message: 'In and NotIn need at least one value; Exists and DoesNotExist take none',
    accepted: object('Cluster', selector('Exists')),
  },
  {
    rule: "a VM's name fits a host name",
    refused: vm({}, 'a'.repeat(64)),
    field: 'metadata.name',
    message: 'is too long for a VirtualMachine: at most 63 characters',
    accepted: vm({}, 'a'.repeat(63)),
  },
  {
    rule: "an instance's name fits a host name",
    refused: instance('a'.repeat(64)),
    field: 'metadata.name',
    message: 'is too long for a VirtualMachine: at most 63 characters',
    accepted: instance('a'.repeat(63)),
  },
  {
    rule: "a host's name fits the name of its Lease",
    refused: host('a'.repeat(201)),
    field: 'metadata.name',
    message: 'is too long for a Host: at most 200 characters',
    accepted: host('a'.repeat(200)),
  },
  {
    rule: "a Volume's name fits a file name",
    refused: volume({ size: '1Gi' }, 'a'.repeat(201)),
    field: 'metadata.name',
    message: 'is too long for a Volume: at most 200 characters',
    accepted: volume({ size: '1Gi' }, 'a'.repeat(200)),
  },
  {
    rule: 'a blank Volume has a size',
    refused: volume({}),
    field: 'spec.size',
    message: 'is missing: a blank Volume needs a size, as in 20Gi',
    accepted: volume({ source: { imageName: 'debian' } }),
  },
  {
    rule: 'a CPU baseline has a level, and nothing else has',
    refused: object('Cluster', { imc: { mode: 'Auto', baseline: 'Nehalem' } }),
    field: 'spec.imc.baseline',
    message: 'belongs to mode Baseline, which needs it: a level, as in Haswell-noTSX-IBRS',
    accepted: object('Cluster', { imc: { mode: 'Baseline', baseline: 'Nehalem' } }),
  },
  {
    rule: 'a count of host failures belongs to the admission control that counts them',
    refused: admission({ type: 'Disabled', hostFailures: { count: 1 } }),
    field: 'spec.ha.admissionControl.hostFailures',
    message: 'belongs to type HostFailures: leave it out, or set the type',
    accepted: admission({ hostFailures: { count: 2 } }),
  },
  {
    rule: 'admission control by percentage has one, and no other has',
    refused: admission({ type: 'Percentage' }),
    field: 'spec.ha.admissionControl.percentage',
    message: 'belongs to type Percentage, which needs it: cpu and memory in percent, or {}',
    accepted: admission({ type: 'Percentage', percentage: {} }),
  },
  {
    rule: 'admission control by failover hosts names them, and no other does',
    refused: admission({ failoverHosts: { hosts: ['host-3'] } }),
    field: 'spec.ha.admissionControl.failoverHosts',
    message: 'belongs to type FailoverHosts, which needs it: the names of hosts',
    accepted: admission({ type: 'FailoverHosts', failoverHosts: { hosts: ['host-3'] } }),
  },
  {
    rule: 'a Migration moves one VM or one RuleGroup',
    refused: object('Migration', { virtualMachineName: 'web', ruleGroupName: 'pair' }),
    field: 'spec.virtualMachineName',
    message: 'is what to move: name either one VirtualMachine or one RuleGroup',
    accepted: object('Migration', { ruleGroupName: 'pair' }),
  },
  {
    rule: 'a rule is about VMs',
    refused: ruleGroup({ type: 'Separate', virtualMachines: { names: [] } }),
    field: 'spec.virtualMachines',
    message: 'names no VirtualMachine: give names, selector or both',
    accepted: ruleGroup({ type: 'Separate', virtualMachines: { selector: {} } }),
  },
  {
    rule: 'a rule about hosts names some',
    refused: ruleGroup({ ...toHosts, hosts: {} }),
    field: 'spec.hosts',
    message: 'names no Host: give names, selector or both',
    accepted: ruleGroup({ ...toHosts, hosts: { selector: { matchLabels: { rack: 'a' } } } }),
  },
  {
    rule: 'a rule about hosts has hosts',
    refused: ruleGroup({ type: 'VMsToHosts', relation: 'MustRunOn' }),
    field: 'spec.hosts',
    message: 'belongs to a VMsToHosts rule, and every such rule needs it: the hosts, by names or selector',
    accepted: ruleGroup(toHosts),
  },
  {
    rule: 'a rule about hosts has a relation, and no other rule has',
    refused: ruleGroup({ type: 'KeepTogether', relation: 'MustRunOn' }),
    field: 'spec.relation',
    message: 'belongs to a VMsToHosts rule, and every such rule needs it: MustRunOn, ShouldRunOn',
    accepted: ruleGroup({ type: 'KeepTogether', enforcement: 'Preferred' }),
  },
  {
    rule: 'a rule about hosts says by its relation how strict it is',
    refused: ruleGroup({ ...toHosts, enforcement: 'Preferred' }),
    field: 'spec.enforcement',
    message: 'does not belong to a VMsToHosts rule: its relation says whether it must or should be kept',
    accepted: ruleGroup({ ...toHosts, relation: 'ShouldRunOn' }),
  },
  {
    rule: 'a selector of a rule compares with something',
    refused: ruleGroup({
      type: 'Separate',
      virtualMachines: { selector: { matchExpressions: [{ key: 'app', operator: 'In' }] } },
    }),
    field: 'spec.virtualMachines.selector.matchExpressions[0]',
    message: 'In and NotIn need at least one value; Exists and DoesNotExist take none',
    accepted: ruleGroup({ type: 'Separate', virtualMachines: { selector: { matchLabels: { app: 'db' } } } }),
  },
];

describe('rules about several fields', () => {
  it('has a row for every rule', () => {
    const rules = placedRules().filter(({ scalar, transition }) => !scalar && !transition);
    const covered = ({ kind, message }: { kind: string; message: string }) =>
      ROWS.some((row) => row.refused['kind'] === kind && message.includes(row.message));
    expect(rules.filter((rule) => !covered(rule))).toEqual([]);
  });

  it.each(ROWS)('$rule: refuses $field with the words "$message"', async ({ refused, field, message, accepted }) => {
    expect(await verdictOnCreate(client, refused)).toEqual([{ field, message: expect.stringContaining(message) }]);
    expect(await verdictOnCreate(client, accepted)).toEqual([]);
  });

  it('refuses a second disk or NIC of the same name', async () => {
    const disks = await verdictOnCreate(client, vm({ disks: [disk('root'), disk('root', { volumeName: 'b' })] }));
    expect(disks).toContainEqual({ field: 'spec.disks[1]', message: expect.stringContaining('Duplicate value') });
    const nics = await verdictOnCreate(client, vm({ nics: [nic('lan'), nic('lan')] }));
    expect(nics).toContainEqual({ field: 'spec.nics[1]', message: expect.stringContaining('Duplicate value') });
  });
});

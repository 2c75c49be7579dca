import { setTimeout as sleep } from 'node:timers/promises';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { SharedInformer } from '../../../src/kube/index.ts';
import { Guard } from '../../lab/host/guard.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Report } from '../../lab/report.ts';
import { waitFor } from '../../lab/wait.ts';
import type { BenchRow } from '../row.ts';
import { createAll, destroyAll, domainFiles } from './bare.ts';
import { Fleet } from './fleet.ts';
import { median, row } from './start.ts';

const ROUNDS = 5;
const VMS = 10;
const MANY = 100;
const MANY_ROUNDS = 3;
/** A dead agent alone leads to nothing; it is watched for so long, longer than any failover takes. */
const WATCHED_MS = 20_000;
const TIMEOUT_MS = 180_000;
const VICTIM = 'host-1';

/** How long one failover took, from the fault on, in seconds. */
interface Failover {
  /** Until the last VM ran elsewhere. */
  readonly total: number;
  readonly detected: number;
  readonly fenced: number;
  readonly decided: number;
}

/** A fault, and what makes the host whole again. */
interface Fault {
  readonly name: string;
  readonly rounds: number;
  readonly vms: number;
  readonly goalSeconds: number;
  /** What its VMs have beside the others'. */
  readonly spec?: object;
  readonly happen: (lab: Lab) => Promise<void>;
  readonly mend: (lab: Lab) => Promise<void>;
}

const powerOn = async (lab: Lab) => await lab.powerOn(VICTIM);

const FAULTS: readonly Fault[] = [
  {
    name: `host loses its power, ${VMS} VMs`,
    rounds: ROUNDS,
    vms: VMS,
    goalSeconds: 15,
    happen: async (lab) => await lab.killHost(VICTIM),
    mend: powerOn,
  },
  {
    name: `host hangs and is fenced, ${VMS} VMs`,
    rounds: ROUNDS,
    vms: VMS,
    goalSeconds: 15,
    happen: async (lab) => await lab.freeze(VICTIM),
    mend: async (lab) => {
      await lab.heal(VICTIM);
      await lab.powerOn(VICTIM);
    },
  },
  {
    name: `host is cut off and is fenced, ${VMS} VMs`,
    rounds: ROUNDS,
    vms: VMS,
    goalSeconds: 15,
    happen: async (lab) => await lab.cut(VICTIM),
    mend: async (lab) => {
      await lab.heal(VICTIM);
      await lab.powerOn(VICTIM);
    },
  },
  {
    name: `host loses its power together with the operator, ${VMS} VMs`,
    rounds: ROUNDS,
    vms: VMS,
    goalSeconds: 30,
    happen: async (lab) => {
      await lab.stopOperator('killed');
      await lab.killHost(VICTIM);
      await lab.startOperator();
    },
    mend: powerOn,
  },
  {
    name: `datastore lost on one host (datastoreFault Restart, no delay), ${VMS} VMs`,
    rounds: ROUNDS,
    vms: VMS,
    goalSeconds: 30,
    spec: { disks: [{ name: 'data', volumeTemplate: { datastoreName: 'shared', size: '1Mi' } }] },
    happen: async (lab) => await lab.loseDatastore(VICTIM),
    mend: async (lab) => await lab.bringDatastoreBack(VICTIM),
  },
];

/** The defaults, and what is done about lost datastores. */
const POLICY = {
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'HAPolicy',
  metadata: { name: 'bench' },
  spec: { datastoreFault: { action: 'Restart' } },
};

/** What is measured by itself. */
interface Part {
  readonly name: string;
  readonly rows: (lab: Lab, fleet: Fleet, checkout: string) => Promise<BenchRow[]>;
}

const PARTS: readonly Part[] = [
  ...FAULTS.map((fault): Part => ({ name: fault.name, rows: (lab, fleet) => ofFault(lab, fleet, fault) })),
  { name: `host without BMC loses its power, ${VMS} VMs`, rows: withoutBmc },
  { name: 'agent killed', rows: async (lab, fleet) => [await agentKilled(lab, fleet)] },
  { name: `${MANY} VMs beside virsh create`, rows: async (lab, fleet) => [await beside(lab, fleet)] },
];

/** From a fault to all VMs running elsewhere, on real hosts. @param only parts of whose names this is a piece */
export async function failoverRows(lab: Lab, report: Report, checkout: string, only: string): Promise<BenchRow[]> {
  const parts = PARTS.filter(({ name }) => name.includes(only));
  if (parts.length === 0)
    throw new Error(`No part is called "${only}". There are: ${PARTS.map(({ name }) => name).join('; ')}.`);
  const fleet = new Fleet(lab);
  try {
    await lab.kubectl(['apply', '-f', '-'], JSON.stringify(POLICY));
    await patchHA(lab, { enabled: true, policyName: POLICY.metadata.name });
    const rows: BenchRow[] = [];
    for (const { name, rows: measured } of parts)
      rows.push(...(await report.step(name, () => measured(lab, fleet, checkout))));
    return rows;
  } finally {
    await fleet.client.close();
  }
}

async function patchHA(lab: Lab, ha: object): Promise<void> {
  await lab.kubectl(['patch', 'cluster', 'lab', '--type=merge', '-p', JSON.stringify({ spec: { ha } })]);
}

/** Its storage lease proves that it is off, and nothing else is asked. */
async function withoutBmc(lab: Lab, fleet: Fleet, checkout: string): Promise<BenchRow[]> {
  const guards = new Map<string, Guard>();
  const guard = async (host: LabHost) => {
    guards.get(host.name)?.watchdog.close();
    guards.set(host.name, await Guard.start(host, checkout));
  };
  const metadata = { name: 'by-lease' };
  const spec = { fencing: { order: ['StorageLease'] } };
  const policy = { apiVersion: API_VERSION, kind: 'HAPolicy', metadata, spec };
  await lab.kubectl(['apply', '-f', '-'], JSON.stringify(policy));
  await patchHA(lab, { policyName: metadata.name });
  try {
    for (const host of lab.hosts) await guard(host);
    await allOnline(lab, fleet, 'StorageLeaseHeld');
    return await ofFault(lab, fleet, {
      name: `host without BMC loses its power, ${VMS} VMs`,
      rounds: ROUNDS,
      vms: VMS,
      goalSeconds: 45,
      happen: async () => await lab.killHost(VICTIM),
      mend: async () => {
        await lab.powerOn(VICTIM);
        await guard(lab.host(VICTIM));
      },
    });
  } finally {
    for (const each of guards.values()) await each.end();
    await patchHA(lab, { policyName: null });
  }
}

async function ofFault(lab: Lab, fleet: Fleet, fault: Fault): Promise<BenchRow[]> {
  const taken: Failover[] = [];
  for (let round = 0; round < fault.rounds; round += 1) taken.push(await measure(lab, fleet, fault));
  const of = (part: keyof Failover) => taken.map((each) => each[part]);
  const worst = Math.max(...of('total'));
  return [
    row(`${fault.name}: all run elsewhere, P50`, 's', median(of('total'))),
    row(
      `the same, slowest of ${fault.rounds}`,
      's',
      worst,
      null,
      null,
      `≤ ${fault.goalSeconds}`,
      worst <= fault.goalSeconds,
    ),
    row('of that: until the fault was noticed, P50', 's', median(of('detected'))),
    row('until it was proven to be off, P50', 's', median(of('fenced'))),
    row('until its VMs had other hosts, P50', 's', median(of('decided'))),
  ];
}

/** One round: VMs on one host, the fault, and what became of them. */
async function measure(lab: Lab, fleet: Fleet, { vms, spec, happen, mend }: Fault): Promise<Failover> {
  await allOnline(lab, fleet);
  const names = await startOnVictim(fleet, vms, spec);
  const faultAt = Date.now();
  await happen(lab);
  const moved = await movedVMs(fleet, names);
  const last = (pick: (vm: VirtualMachine) => string | undefined) =>
    (Math.max(...moved.map((vm) => Date.parse(pick(vm) ?? ''))) - faultAt) / 1000;
  const result = {
    total: last(({ status }) => status?.lastFailover?.runningAt),
    detected: last(({ status }) => status?.lastFailover?.detectedAt),
    fenced: last(({ status }) => status?.lastFailover?.fencedAt),
    decided: last(({ status }) => status?.lastFailover?.decidedAt),
  };
  await fleet.remove();
  await mend(lab);
  return result;
}

async function startOnVictim(fleet: Fleet, count: number, spec: object = {}): Promise<string[]> {
  const prefix = `f${Date.now().toString(36)}`;
  const pinned = { ...spec, hostSelector: { matchLabels: { 'kubernetes.io/hostname': VICTIM } } };
  await fleet.start(prefix, count, pinned);
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  // A host that is chosen for them is of no use to the measurement.
  const patch = { type: 'merge', body: { spec: { hostSelector: null } } } as const;
  await Promise.all(names.map((name) => fleet.client.patch(VirtualMachine, { namespace: 'default', name }, patch)));
  return names;
}

async function movedVMs(fleet: Fleet, names: readonly string[]): Promise<VirtualMachine[]> {
  const stop = new AbortController();
  const informer = new SharedInformer<VirtualMachine>({
    client: fleet.client,
    kind: VirtualMachine,
    namespace: 'default',
  });
  const running = informer.run(stop.signal);
  await informer.synced();
  const moved = () => {
    const all = names.flatMap((name) => informer.get(`default/${name}`) ?? []);
    return all.filter(({ status }) => status?.lastFailover?.runningAt !== undefined && status.phase === 'Running');
  };
  await waitFor(
    `${names.length} VMs to run elsewhere`,
    () =>
      moved().length === names.length
        ? { ready: true, value: undefined }
        : { ready: false, because: `${moved().length} of ${names.length} do` },
    { timeoutMs: TIMEOUT_MS, intervalMs: 50 },
  );
  stop.abort();
  await running;
  return moved();
}

/** @param by reason of FencingReady; absent: any by which it is True */
async function allOnline(lab: Lab, fleet: Fleet, by?: string): Promise<void> {
  await waitFor(
    'all hosts to be online and ready to be fenced',
    async () => {
      const { items } = await fleet.client.list(Host);
      const late = items.filter(({ status }) => {
        const condition = (type: string) => status?.conditions.find((each) => each.type === type);
        const isOnline = status?.availability?.state === 'Online' && status.availability.bootID === status.bootID;
        const fencing = condition('FencingReady');
        // The condition may still speak of the boot before.
        const isHeld = fencing?.reason !== 'StorageLeaseHeld' || status?.storageLease?.state === 'Held';
        const isReady = condition('Ready')?.status === 'True' && fencing?.status === 'True' && isHeld;
        return !isOnline || !isReady || (by !== undefined && fencing.reason !== by);
      });
      return late.length === 0 && items.length === lab.hosts.length
        ? { ready: true, value: undefined }
        : { ready: false, because: late.map(({ metadata }) => metadata.name).join(', ') };
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 250 },
  );
}

/** How many VMs were moved because an agent died. */
async function agentKilled(lab: Lab, fleet: Fleet): Promise<BenchRow> {
  await allOnline(lab, fleet);
  const names = await startOnVictim(fleet, VMS);
  await lab.stopAgent(VICTIM, 'killed');
  await sleep(WATCHED_MS);
  const { items } = await fleet.client.list(VirtualMachine, { namespace: 'default' });
  const moved = items.filter(({ metadata, status }) => names.includes(metadata.name) && status?.epoch !== 1).length;
  await lab.startAgent(VICTIM);
  await allOnline(lab, fleet);
  await fleet.remove();
  return row(
    `agent killed for ${WATCHED_MS / 1000} s: VMs that were moved`,
    'VMs',
    moved,
    null,
    null,
    '0',
    moved === 0,
  );
}

/** Many VMs at once: from the decision for the first to the last that runs, beside virsh creating the same ones on the same hosts. */
async function beside(lab: Lab, fleet: Fleet): Promise<BenchRow> {
  const ours: number[] = [];
  const virsh: number[] = [];
  for (let round = 0; round < MANY_ROUNDS; round += 1) {
    await allOnline(lab, fleet);
    const names = await startOnVictim(fleet, MANY);
    await lab.killHost(VICTIM);
    const moved = await movedVMs(fleet, names);
    const times = (pick: (vm: VirtualMachine) => string | undefined) => moved.map((vm) => Date.parse(pick(vm) ?? ''));
    const begun = Math.min(...times(({ status }) => status?.lastFailover?.fencedAt));
    ours.push((Math.max(...times(({ status }) => status?.lastFailover?.runningAt)) - begun) / 1000);
    const targets = lab.hosts.filter(({ name }) => name !== VICTIM);
    const files = await Promise.all(targets.map(domainFiles));
    await fleet.remove();
    const startMs = performance.now();
    await Promise.all(targets.map((host, index) => createAll(host, files[index] ?? [])));
    virsh.push((performance.now() - startMs) / 1000);
    await Promise.all(targets.map(destroyAll));
    await lab.powerOn(VICTIM);
  }
  const ratio = median(ours) / median(virsh);
  return row(
    `${MANY} VMs of a dead host, proven off to all running, beside virsh create of the same`,
    's',
    median(ours),
    median(virsh),
    ratio,
    '≤ 1.2×',
    ratio <= 1.2,
  );
}

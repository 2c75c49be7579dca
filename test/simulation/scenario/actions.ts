import * as z from 'zod';
import { DatastoreLossReason } from '../../../src/api/host-storage.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { DomainState } from '../../../src/libvirt/index.ts';
import { isJson } from '../api/field-set.ts';
import type { Link } from '../api/link.ts';
import { ClusterPlan, virtualMachine } from '../world/plan.ts';
import { kindOf, type World } from '../world/world.ts';

const host = z.string();
const vm = z.string();
const operator = z.string();
/** An operator or a host; absent: every client. */
const client = z.string().optional();

/** Everything that can happen to a world from outside, by what is done. Each is also one line of a scenario's `events.yaml`. */
export const Action = z.discriminatedUnion('do', [
  z.strictObject({ do: z.enum(['powerOff', 'powerOn', 'reset', 'pauseHost', 'resumeHost']), host }),
  z.strictObject({ do: z.enum(['killAgent', 'pauseAgent', 'resumeAgent', 'removeAgent', 'installAgent']), host }),
  z.strictObject({ do: z.enum(['killKeeper', 'pauseKeeper', 'resumeKeeper']), host }),
  z.strictObject({ do: z.literal('killLibvirtd'), host }),
  z.strictObject({
    do: z.enum(['killOperator', 'pauseOperator', 'resumeOperator', 'removeOperator', 'installOperator']),
    operator,
  }),
  /** The wall clock of a host, or of the machine of an operator. It stays so until it is set again: `healAll` leaves it wrong. */
  z.strictObject({ do: z.literal('setClock'), machine: z.string(), aheadSeconds: z.number() }),
  /** The way of a client to the API server: refused at once, or without any answer. */
  z.strictObject({ do: z.literal('cutApi'), client, how: z.enum(['Refused', 'Dropped']).default('Dropped') }),
  z.strictObject({ do: z.literal('slowApi'), client, seconds: z.number() }),
  /** Watch events come late, so that caches are stale; of all kinds, or of those given by their plural. */
  z.strictObject({ do: z.literal('staleCaches'), client, seconds: z.number(), kinds: z.array(z.string()).optional() }),
  z.strictObject({ do: z.literal('loseAnswers'), client, share: z.number().min(0).max(1).default(1) }),
  z.strictObject({ do: z.literal('failWrites'), client, share: z.number().min(0).max(1).default(1) }),
  z.strictObject({ do: z.literal('healApi'), client }),
  z.strictObject({ do: z.literal('compact') }),
  /** A backup of etcd, and its return in the place of all that was written since. */
  z.strictObject({ do: z.enum(['saveEtcd', 'restoreEtcd']) }),
  /** Between hosts, operators, and BMCs (`bmc-of-host-1`). */
  z.strictObject({ do: z.literal('cutNetwork'), between: z.tuple([z.string(), z.string()]) }),
  z.strictObject({ do: z.enum(['isolate', 'rejoin']), host }),
  /** In libvirt's words, why the host starts no VM. */
  z.strictObject({ do: z.literal('refuseStarts'), host, words: z.string().default('cannot set up guest memory') }),
  z.strictObject({ do: z.literal('slowStarts'), host, seconds: z.number() }),
  z.strictObject({ do: z.literal('mendStarts'), host }),
  /** `holdsQemu`: what hangs in it cannot be killed. */
  z.strictObject({
    do: z.literal('loseDatastore'),
    datastore: z.string(),
    host,
    reason: DatastoreLossReason.default('PermanentlyLost'),
    holdsQemu: z.boolean().optional(),
  }),
  z.strictObject({ do: z.literal('bringDatastoreBack'), datastore: z.string(), host }),
  /** Each access of a host to its small files takes so much longer. */
  z.strictObject({ do: z.literal('slowDatastore'), datastore: z.string(), host, seconds: z.number() }),
  z.strictObject({
    do: z.literal('bmc'),
    host,
    unreachable: z.boolean().default(false),
    wrongPassword: z.boolean().default(false),
    delayMs: z.int().default(0),
    lies: z.boolean().default(false),
    ignoresOrders: z.boolean().default(false),
  }),
  z.strictObject({ do: z.enum(['guestShutsDown', 'guestCrashes', 'guestIgnoresPowerButton']), vm }),
  /** Its tools connect; they fall silent while it goes on to read and write; it hangs; its kernel panics; its watchdog expires. */
  z.strictObject({
    do: z.enum(['guestToolsConnect', 'guestToolsHang', 'guestHangs', 'guestPanics', 'guestWatchdogExpires']),
    vm,
  }),
  z.strictObject({ do: z.literal('create'), object: ClusterPlan.shape.objects.unwrap().element }),
  z.strictObject({ do: z.literal('createVM'), vm: ClusterPlan.shape.vms.unwrap().element }),
  z.strictObject({
    do: z.literal('edit'),
    kind: z.string(),
    name: z.string(),
    patch: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({ do: z.literal('delete'), kind: z.string(), name: z.string() }),
  /** With the finalizers, as somebody does who is tired of waiting. */
  z.strictObject({ do: z.literal('forceDelete'), kind: z.string(), name: z.string() }),
  /** The same with the instance of a VM, if the VM's own status names the host and epoch of the instance by then. */
  z.strictObject({ do: z.literal('tearInstanceAway'), vm }),
  /** Ends every fault: power, processes, links, network, datastores, BMCs. */
  z.strictObject({ do: z.literal('healAll') }),
]);
export type Action = z.output<typeof Action>;
export type ActionInput = z.input<typeof Action>;

/** Lets it happen now. @throws Error when it names something that this world does not have */
export function perform(world: World, action: Action): void {
  world.fact('event', wordsOf(action));
  switch (action.do) {
    case 'powerOff':
    case 'powerOn':
    case 'reset':
      world.host(action.host)[action.do]();
      return;
    case 'pauseHost':
      world.host(action.host).pause();
      return;
    case 'resumeHost':
      world.host(action.host).resume();
      return;
    case 'killAgent':
    case 'pauseAgent':
    case 'resumeAgent':
    case 'removeAgent':
    case 'installAgent':
    case 'killKeeper':
    case 'pauseKeeper':
    case 'resumeKeeper':
      world.host(action.host)[action.do]();
      return;
    case 'setClock':
      world.setClock(action.machine, action.aheadSeconds * 1000);
      return;
    case 'killLibvirtd':
      world.host(action.host).killDaemon();
      return;
    case 'killOperator':
      world.operator(action.operator).kill();
      return;
    case 'pauseOperator':
      world.operator(action.operator).pause();
      return;
    case 'resumeOperator':
      world.operator(action.operator).resume();
      return;
    case 'removeOperator':
      world.operator(action.operator).remove();
      return;
    case 'installOperator':
      world.operator(action.operator).install();
      return;
    case 'cutApi':
      eachLink(world, action.client, (link) => link.set({ state: action.how }));
      return;
    case 'slowApi':
      eachLink(world, action.client, (link) => link.set({ delayMs: action.seconds * 1000 }));
      return;
    case 'staleCaches':
      eachLink(world, action.client, (link) =>
        link.set({ watchDelayMs: action.seconds * 1000, watchDelayKinds: action.kinds }),
      );
      return;
    case 'loseAnswers':
      eachLink(world, action.client, (link) => link.set({ lostAnswers: action.share }));
      return;
    case 'failWrites':
      eachLink(world, action.client, (link) => link.set({ failedWrites: action.share }));
      return;
    case 'healApi':
      eachLink(world, action.client, (link) => link.heal());
      return;
    case 'compact':
      world.server.compact();
      return;
    case 'saveEtcd':
      world.server.save();
      return;
    case 'restoreEtcd':
      world.server.restore();
      return;
    case 'cutNetwork':
      world.network.cut(...action.between);
      return;
    case 'isolate':
      world.network.isolate(action.host);
      return;
    case 'rejoin':
      world.network.rejoin(action.host);
      return;
    case 'loseDatastore': {
      const { reason, holdsQemu = false } = action;
      world.datastore(action.datastore).lose(action.host, { reason, holdsQemu });
      world.host(action.host).datastoresChanged();
      return;
    }
    case 'bringDatastoreBack':
      world.datastore(action.datastore).bringBack(action.host);
      world.host(action.host).datastoresChanged();
      return;
    case 'refuseStarts':
      world.host(action.host).startFaults.words = action.words;
      return;
    case 'slowStarts':
      world.host(action.host).startFaults.delayMs = action.seconds * 1000;
      return;
    case 'mendStarts':
      Object.assign(world.host(action.host).startFaults, { words: undefined, delayMs: 0 });
      return;
    case 'slowDatastore':
      world.datastore(action.datastore).setDelay(action.host, action.seconds * 1000);
      return;
    case 'bmc': {
      const { do: _, host: name, ...faults } = action;
      Object.assign(world.bmc(name).faults, faults);
      return;
    }
    case 'guestShutsDown':
    case 'guestCrashes':
    case 'guestIgnoresPowerButton':
    case 'guestToolsConnect':
    case 'guestToolsHang':
    case 'guestHangs':
    case 'guestPanics':
    case 'guestWatchdogExpires':
      guest(world, action.vm, action.do);
      return;
    case 'create':
    case 'createVM':
    case 'edit':
    case 'delete':
    case 'forceDelete':
      asUser(world, action);
      return;
    case 'tearInstanceAway':
      tearInstanceAway(world, action.vm);
      return;
    case 'healAll':
      healAll(world);
      return;
  }
}

function wordsOf({ do: what, ...details }: Action): string {
  return [what, ...Object.values(details).flatMap((value) => (value === undefined ? [] : [shown(value)]))].join(' ');
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function eachLink(world: World, client: string | undefined, change: (link: Link) => void): void {
  for (const [name, link] of world.links) if (client === undefined || name === client) change(link);
  // A typing error would be a fault that never happens.
  if (client !== undefined) world.link(client);
}

type GuestAction = Extract<Action, { do: `guest${string}` }>['do'];

/** Guests that do not run do nothing: one whose CPUs stand still, as while it is handed over, cannot shut itself down. */
function guest(world: World, name: string, what: GuestAction): void {
  const found = world.domainOf(name);
  const hypervisor = found?.host.hypervisor;
  if (found === undefined || hypervisor === undefined || !found.host.isExecuting) return;
  const { domain } = found;
  switch (what) {
    case 'guestIgnoresPowerButton':
      domain.shutdownMs = undefined;
      return;
    case 'guestCrashes':
      hypervisor.stop(domain, 'crashed');
      return;
    case 'guestShutsDown':
      if (domain.state === DomainState.RUNNING) hypervisor.stop(domain, 'shutdown');
      return;
    case 'guestToolsConnect':
      hypervisor.installTools(domain);
      return;
    case 'guestToolsHang':
    case 'guestHangs':
      Object.assign(domain.guest, { answers: false, isBusy: what === 'guestToolsHang' });
      return;
    case 'guestPanics':
      hypervisor.panic(domain);
      return;
    case 'guestWatchdogExpires':
      hypervisor.expireWatchdog(domain);
      return;
  }
}

/** What a user asks for twice, or of something that is gone, does not happen. */
function asUser(
  world: World,
  action: Extract<Action, { do: 'create' | 'createVM' | 'edit' | 'delete' | 'forceDelete' }>,
): void {
  world.asUser(() => {
    if (action.do === 'create' || action.do === 'createVM') {
      const object = action.do === 'create' ? manifest(action.object) : virtualMachine(action.vm);
      const kind = kindOf(object.kind);
      if (world.server.find(kind, object.metadata) === undefined) world.server.create(kind, object);
      return;
    }
    const kind = kindOf(action.kind);
    const ref = { name: action.name, ...(kind.namespaced && { namespace: 'default' }) };
    if (world.server.find(kind, ref) === undefined) return;
    if (action.do === 'forceDelete')
      world.server.patch(kind, ref, { type: 'merge', body: { metadata: { finalizers: null } } });
    if (action.do !== 'edit') world.server.delete(kind, ref, {});
    else world.server.patch(kind, ref, { type: 'merge', body: action.patch });
  });
}

function tearInstanceAway(world: World, name: string): void {
  const ref = { namespace: 'default', name };
  const status = world.server.find(VirtualMachine, ref)?.status;
  const spec = world.server.find(VirtualMachineInstance, ref)?.spec;
  if (!isJson(status) || !isJson(spec) || status['host'] !== spec['host'] || status['epoch'] !== spec['epoch']) return;
  // Who does that in the last moments of a move has to look for the guest himself: no host is left that says where it is.
  if (spec['migration'] !== undefined) return;
  asUser(world, { do: 'forceDelete', kind: VirtualMachineInstance.kind, name });
}

function manifest(object: Extract<Action, { do: 'create' }>['object']) {
  const { namespaced } = kindOf(object.kind);
  return {
    apiVersion: 'drover.dev/v1alpha1',
    ...object,
    metadata: { ...(namespaced && { namespace: 'default' }), ...object.metadata },
  };
}

function healAll(world: World): void {
  world.heals++;
  world.log.awaitNothing();
  for (const link of world.links.values()) link.heal();
  world.network.heal();
  for (const [name, bmc] of world.bmcs) {
    Object.assign(bmc.faults, {
      unreachable: false,
      wrongPassword: false,
      delayMs: 0,
      lies: false,
      ignoresOrders: false,
    });
    const each = world.host(name);
    each.resumeAgent();
    each.resumeKeeper();
    each.resume();
    each.powerOn();
    each.installAgent();
    Object.assign(each.startFaults, { words: undefined, delayMs: 0 });
    for (const datastore of world.datastores) {
      datastore.bringBack(name);
      datastore.setDelay(name, 0);
    }
    each.datastoresChanged();
  }
  for (const operator of world.operators) {
    operator.resume();
    operator.install();
  }
}

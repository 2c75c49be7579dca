import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { KubeClient, loadConfig } from '../../../src/kube/index.ts';
import { configMap, configMapKind, newNamespace } from '../../integration/kube/objects.ts';
import { startOwnControlPlane } from '../../integration/own-control-plane.ts';
import type { BenchRow } from '../row.ts';
import type { SideMessage } from './side.ts';

/** How does our informer compare with @kubernetes/client-node's at 10,000 objects of the real API server? */

const OBJECTS = 10_000;
const UPDATES = 2_000;
const ROUNDS = 5;
const WRITERS = 32;
const MIB = 1024 * 1024;

interface Figures {
  startMs: number;
  heapMib: number;
  residentMib: number;
  peakResidentMib: number;
  cpuMsPer1000Events: number;
}

/** Each figure is the median of five pairs of runs; every run is alone in a process of its own. */
export async function benchInformer(progress: (line: string) => void = () => undefined): Promise<BenchRow[]> {
  const { controlPlane, remove } = await startOwnControlPlane('bench-informer');
  const connection = loadConfig({ kubeconfigPath: controlPlane.kubeconfig });
  const client = new KubeClient({ connection, userAgent: 'drover-bench' });
  try {
    const namespace = await newNamespace(client);
    progress(`creating ${OBJECTS} objects`);
    await inParallel(OBJECTS, (i) => client.create(configMapKind, configMap(namespace, `object-${i}`, payload(i))));
    const ours: Figures[] = [];
    const theirs: Figures[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      progress(`informers, round ${round + 1} of ${ROUNDS}`);
      // Who comes first changes from round to round, so that neither profits from a warm server.
      const sides = round % 2 === 0 ? (['ours', 'client-node'] as const) : (['client-node', 'ours'] as const);
      for (const side of sides) {
        const figures = await measure(client, side, controlPlane.kubeconfig, namespace, round);
        (side === 'ours' ? ours : theirs).push(figures);
      }
    }
    return [
      row('informer start at 10,000 objects', 'ms', ours, theirs, (each) => each.startMs),
      row('informer heap at 10,000 objects', 'MiB', ours, theirs, (each) => each.heapMib),
      row('informer resident memory at 10,000 objects', 'MiB', ours, theirs, (each) => each.residentMib),
      row('informer peak resident memory during start', 'MiB', ours, theirs, (each) => each.peakResidentMib),
      row('informer CPU per 1,000 watch events', 'ms', ours, theirs, (each) => each.cpuMsPer1000Events),
    ];
  } finally {
    await client.close();
    await remove();
  }
}

async function measure(
  client: KubeClient,
  side: string,
  kubeconfigPath: string,
  namespace: string,
  round: number,
): Promise<Figures> {
  const program = join(import.meta.dirname, 'side.ts');
  const child = fork(program, [side, kubeconfigPath, namespace, String(OBJECTS)], { execArgv: ['--expose-gc'] });
  try {
    const synced = await messageOf(child, 'synced');
    child.send(UPDATES);
    await once(child, 'message');
    const watched = messageOf(child, 'watched');
    const body = { data: { round: `${side} ${round}` } };
    await inParallel(UPDATES, (i) =>
      client.patch(configMapKind, { namespace, name: `object-${i}` }, { type: 'merge', body }),
    );
    const { cpuMs } = await watched;
    return {
      startMs: synced.startMs,
      heapMib: synced.heapBytes / MIB,
      residentMib: synced.residentBytes / MIB,
      peakResidentMib: synced.peakResidentBytes / MIB,
      cpuMsPer1000Events: (cpuMs * 1000) / UPDATES,
    };
  } finally {
    child.disconnect();
    await once(child, 'exit');
  }
}

type MessageOf<Type extends SideMessage['type']> = Extract<SideMessage, { type: Type }>;

/** @throws when the process ends without having said it. */
async function messageOf<Type extends SideMessage['type']>(child: ChildProcess, type: Type): Promise<MessageOf<Type>> {
  const { promise, resolve, reject } = Promise.withResolvers<MessageOf<Type>>();
  const onMessage = (message: unknown) => {
    if (isMessage(message, type)) resolve(message);
  };
  const onExit = (code: number | null) =>
    reject(new Error(`the informer's process ended with ${code} before "${type}"`));
  child.on('message', onMessage).once('exit', onExit);
  try {
    return await promise;
  } finally {
    child.off('message', onMessage).off('exit', onExit);
  }
}

function isMessage<Type extends SideMessage['type']>(message: unknown, type: Type): message is MessageOf<Type> {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === type;
}

/** About what a VirtualMachineInstance with two disks weighs: 1.2 KB. */
function payload(i: number): Record<string, string> {
  const disk = (name: string) => ({
    name,
    path: `/var/lib/drover/shared/volumes/object-${i}-${name}.qcow2`,
    bus: 'virtio',
  });
  const spec = {
    host: `host-${i % 100}`,
    epoch: 1,
    cpu: { sockets: 1, coresPerSocket: 2, threads: 1, model: 'Skylake-Server' },
    memory: { size: '4Gi' },
    disks: [disk('root'), disk('data')],
    nics: [{ name: 'default', mac: '02:00:00:00:00:01', bridge: 'br-lan', vlan: 100 }],
    annotations: 'x'.repeat(700),
  };
  return { spec: JSON.stringify(spec), round: 'none' };
}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

function row(
  name: string,
  unit: string,
  ours: readonly Figures[],
  theirs: readonly Figures[],
  figureOf: (figures: Figures) => number,
): BenchRow {
  const [our, their] = [median(ours.map(figureOf)), median(theirs.map(figureOf))];
  const ratio = our / their;
  return { name, unit, ours: our, baseline: their, ratio, goal: '≤ 1 × client-node', holds: ratio <= 1 };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

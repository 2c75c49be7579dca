import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Host } from '../../../src/api/host.ts';
import { Migration } from '../../../src/api/migration.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { type KindRef, KubeClient, type KubeObject, loadConfig, SharedInformer } from '../../../src/kube/index.ts';
import { guestVM } from '../../e2e/story.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Report } from '../../lab/report.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import type { BenchRow } from '../row.ts';
import { median, row } from './start.ts';

const ROUNDS = 7;
/** A guest that a server would have at the least, with this much in its memory that is no zero. */
const BIG = { memory: '1Gi', filledMib: 400 };
const BIG_ROUNDS = 5;
const EVACUATED = 10;
const EVACUATIONS = 3;
/** As Drover's default, `Cluster.spec.migration.maxPerHost`. */
const PARALLEL = 2;
const TIMEOUT_MS = 180_000;

/** Live migration and evacuation beside bare virsh with the very same domains, in turn. */
export async function migrationRows(lab: Lab, report: Report): Promise<BenchRow[]> {
  const bench = new MigrationBench(lab);
  try {
    const single = await report.step(`${ROUNDS} migrations each`, () => bench.single('one guest', ROUNDS));
    const big = await report.step(`${BIG_ROUNDS} migrations of a bigger guest each`, () =>
      bench.single(`one guest of ${BIG.memory} with ${BIG.filledMib} MiB of data`, BIG_ROUNDS, BIG),
    );
    const evacuation = await report.step(`${EVACUATIONS} evacuations of ${EVACUATED} VMs each`, () =>
      bench.evacuations(),
    );
    return [...single, ...big, ...evacuation];
  } finally {
    await bench.client.close();
  }
}

interface Taken {
  readonly seconds: number;
  readonly downtimeMs: number;
}

class MigrationBench {
  readonly client: KubeClient;
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.client = new KubeClient({
      connection: loadConfig({ kubeconfigPath: lab.identity.kubeconfig }),
      userAgent: 'drover-bench',
    });
  }

  async single(what: string, rounds: number, guest: Partial<typeof BIG> = {}): Promise<BenchRow[]> {
    const spec = guest.memory === undefined ? {} : { memory: { size: guest.memory } };
    await this.#apply(guestVM('ours', spec), guestVM('bare', spec));
    const [own] = await Promise.all(['ours', 'bare'].map((name) => this.#running(name)));
    const bare = await this.#makeBare('bare');
    if (guest.filledMib !== undefined) {
      await fillMemory(this.#lab.host(own?.status?.host ?? ''), 'default_ours', guest.filledMib);
      await fillMemory(bare.host, bare.domain, guest.filledMib);
    }
    const ours: Taken[] = [];
    const virsh: Taken[] = [];
    let at = bare.host;
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await this.#migrate('ours', `ours-${guest.filledMib ?? 0}-${round}`));
      const target = this.#other(at);
      virsh.push(await virshMigrate(at, target, bare.domain));
      at = target;
    }
    await destroy(at, bare.domain);
    await this.#remove('ours', 'bare');
    const pick = (taken: readonly Taken[], what: keyof Taken) => median(taken.map((each) => each[what]));
    const ratio = (what: keyof Taken) => pick(ours, what) / pick(virsh, what);
    const [total, downtime] = [ratio('seconds'), ratio('downtimeMs')];
    return [
      row(
        `${what}, Migration created to Succeeded, beside virsh migrate --live`,
        's',
        pick(ours, 'seconds'),
        pick(virsh, 'seconds'),
        total,
        '≤ 1.1×',
        total <= 1.1,
      ),
      row(
        `${what}, downtime as QEMU tells it`,
        'ms',
        pick(ours, 'downtimeMs'),
        pick(virsh, 'downtimeMs'),
        downtime,
        '≤ 1.0×',
        downtime <= 1.05,
      ),
    ];
  }

  async evacuations(): Promise<BenchRow[]> {
    const names = Array.from({ length: EVACUATED }, (_, index) => `leaver-${index}`);
    const ours: number[] = [];
    const virsh: number[] = [];
    for (let round = 0; round < EVACUATIONS; round += 1) {
      const pinned = {
        hostSelector: { matchLabels: { 'kubernetes.io/hostname': 'host-1' } },
        disks: [],
        cloudInit: undefined,
      };
      await this.#apply(...names.map((name) => guestVM(name, pinned)));
      await Promise.all(names.map((name) => this.#running(name)));
      for (const name of names) {
        const patch = '[{"op":"remove","path":"/spec/hostSelector"}]';
        await this.#lab.kubectl(['patch', 'vm', name, '--type=json', '-p', patch]);
      }
      const source = this.#lab.host('host-1');
      const files = await Promise.all(names.map((name) => bareXml(source, `default_${name}`, `bare_${name}`)));
      ours.push(await this.#evacuate());
      await this.#lab.kubectl(['patch', 'host', 'host-1', '--type=merge', '-p', '{"spec":{"maintenance":"Disabled"}}']);
      await this.#remove(...names);
      for (const file of files) await virshOn(source, 'create', file);
      virsh.push(
        await virshEvacuate(
          source,
          this.#lab.hosts.slice(1),
          names.map((name) => `bare_${name}`),
        ),
      );
      for (const file of files) rmSync(file);
    }
    const ratio = median(ours) / median(virsh);
    return [
      row(
        `evacuation of ${EVACUATED} VMs, ${PARALLEL} at once, beside as many virsh migrate --live`,
        's',
        median(ours),
        median(virsh),
        ratio,
        '≤ 1.1×',
        ratio <= 1.1,
      ),
    ];
  }

  async #evacuate(): Promise<number> {
    const startMs = performance.now();
    await this.#lab.kubectl(['patch', 'host', 'host-1', '--type=merge', '-p', '{"spec":{"maintenance":"Evacuate"}}']);
    await this.#when(Host, { name: 'host-1' }, (host) =>
      Boolean(host.status?.conditions.some(({ type, status }) => type === 'InMaintenance' && status === 'True')),
    );
    return (performance.now() - startMs) / 1000;
  }

  async #migrate(vm: string, name: string): Promise<Taken> {
    const object = {
      apiVersion: 'drover.dev/v1alpha1',
      kind: 'Migration',
      metadata: { name, namespace: 'default' },
      spec: { virtualMachineName: vm },
    };
    const startMs = performance.now();
    await this.client.create(Migration, object);
    const { status } = await this.#when(Migration, { namespace: 'default', name }, (migration) =>
      ['Succeeded', 'Failed'].includes(migration.status?.phase ?? ''),
    );
    if (status?.phase !== 'Succeeded') throw new Error(`${name}: ${JSON.stringify(status?.failures)}`);
    return { seconds: (performance.now() - startMs) / 1000, downtimeMs: status.downtimeMilliseconds ?? Number.NaN };
  }

  /** A domain with the hardware of a VM and its disk, which Drover does not know: the VM itself is halted. */
  async #makeBare(vm: string): Promise<{ host: LabHost; domain: string }> {
    const { status } = await this.client.get(VirtualMachine, { namespace: 'default', name: vm });
    const host = this.#lab.host(status?.host ?? '');
    const file = await bareXml(host, `default_${vm}`, `bare_${vm}`);
    await this.#lab.kubectl(['patch', 'vm', vm, '--type=merge', '-p', '{"spec":{"runStrategy":"Halted"}}']);
    await this.#when(VirtualMachine, { namespace: 'default', name: vm }, (each) => each.status?.phase === 'Halted');
    await virshOn(host, 'create', file);
    rmSync(file);
    return { host, domain: `bare_${vm}` };
  }

  #other(host: LabHost): LabHost {
    const found = this.#lab.hosts.find(({ name }) => name !== host.name);
    if (found === undefined) throw new Error('The lab has one host.');
    return found;
  }

  async #apply(...items: readonly object[]): Promise<void> {
    await this.#lab.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  }

  async #running(name: string): Promise<VirtualMachine> {
    return await this.#when(VirtualMachine, { namespace: 'default', name }, (vm) => vm.status?.phase === 'Running');
  }

  async #remove(...names: readonly string[]): Promise<void> {
    await this.#lab.kubectl(['delete', 'vm', ...names, '--timeout=120s']);
  }

  async #when<T extends KubeObject>(
    kind: KindRef<T>,
    ref: { name: string; namespace?: string },
    holds: (object: T) => boolean,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let last: T | undefined;
    const late = setTimeout(() => {
      reject(new Error(`${kind.kind} ${ref.name} did not come so far: ${JSON.stringify(last?.status)}`));
    }, TIMEOUT_MS);
    const stop = new AbortController();
    // Asking again and again would cost the two cores something that virsh is not charged with.
    const informer = new SharedInformer<T>({ client: this.client, kind, onError: reject });
    informer.onChange((change) => {
      if (change.type === 'deleted' || change.object.metadata.name !== ref.name) return;
      last = change.object;
      if (holds(change.object)) resolve(change.object);
    });
    const watching = informer.run(stop.signal);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      stop.abort();
      await watching;
    }
  }
}

/** The domain's XML as a file, with another name, and without what makes it Drover's or this very one. */
async function bareXml(host: LabHost, domain: string, name: string): Promise<string> {
  const xml = (await virshOn(host, 'dumpxml', '--migratable', domain))
    .replace(/<metadata>.*?<\/metadata>/s, '')
    .replace(/<uuid>.*?<\/uuid>/, '')
    // The seed goes with the VM that it was made for.
    .replace(/<disk [^>]*>(?:(?!<\/disk>).)*\/seeds\/.*?<\/disk>/s, '')
    .replaceAll(domain, name);
  const file = join(host.files.folder, `${name}.xml`);
  writeFileSync(file, xml);
  return file;
}

/** Data that does not compress, in a file of the guest's memory; by its guest agent. */
async function fillMemory(host: LabHost, domain: string, mib: number): Promise<void> {
  const ask = async (execute: string, given: object) =>
    JSON.parse(await virshOn(host, 'qemu-agent-command', domain, JSON.stringify({ execute, arguments: given }))).return;
  await waitFor(
    `the guest agent of ${domain}`,
    async () => {
      try {
        await ask('guest-info', {});
        return { ready: true, value: undefined };
      } catch (error) {
        return { ready: false, because: String(error) };
      }
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 500 },
  );
  const arg = ['if=/dev/urandom', 'of=/run/data', 'bs=1M', `count=${mib}`];
  const { pid } = await ask('guest-exec', { path: '/bin/dd', arg });
  await waitFor(
    `the memory of ${domain} to be filled`,
    async () => {
      const { exited, exitcode } = await ask('guest-exec-status', { pid });
      if (exited && exitcode !== 0) throw new Error(`the guest cannot write ${mib} MiB: dd ended with ${exitcode}`);
      return exited ? { ready: true, value: undefined } : { ready: false, because: 'it writes' };
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 500 },
  );
}

async function virshOn(host: LabHost, ...args: string[]): Promise<string> {
  return await run('virsh', ['-q', '-c', host.libvirtUri, ...args]);
}

async function destroy(host: LabHost, domain: string): Promise<void> {
  await virshOn(host, 'destroy', domain);
}

/** With the flags, the downtime and the encryption that Drover uses. */
async function virshMigrate(source: LabHost, target: LabHost, domain: string): Promise<Taken> {
  const startMs = performance.now();
  await virshOn(source, 'migrate-setmaxdowntime', domain, '500');
  await virshOn(
    source,
    ...['migrate', '--live', '--p2p', '--tls', '--unsafe', '--auto-converge', '--abort-on-error'],
    ...[domain, target.libvirtPeerUri, '--migrateuri', `tcp://${target.address}`],
  );
  const seconds = (performance.now() - startMs) / 1000;
  const told = await virshOn(target, 'domjobinfo', '--completed', domain);
  return { seconds, downtimeMs: Number(/Total downtime:\s+(\d+)/.exec(told)?.[1] ?? Number.NaN) };
}

async function virshEvacuate(
  source: LabHost,
  targets: readonly LabHost[],
  domains: readonly string[],
): Promise<number> {
  const waiting = [...domains];
  const gone: [LabHost, string][] = [];
  const startMs = performance.now();
  const worker = async (target: LabHost): Promise<void> => {
    for (let domain = waiting.shift(); domain !== undefined; domain = waiting.shift()) {
      await virshMigrate(source, target, domain);
      gone.push([target, domain]);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, (_, index) => worker(targets[index % targets.length] as LabHost)));
  const seconds = (performance.now() - startMs) / 1000;
  for (const [host, domain] of gone) await destroy(host, domain);
  return seconds;
}

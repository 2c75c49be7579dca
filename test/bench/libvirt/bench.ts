import { type Libvirt, openLibvirt } from '../../../src/libvirt/index.ts';
import { domainXml } from '../../integration/libvirt/builders.ts';
import { TestDaemon } from '../../integration/libvirt/daemon.ts';
import type { BenchRow } from '../row.ts';
import { type Ffi, openFfi } from './ffi.ts';
import { median, ratePerSecond } from './rate.ts';
import { VirshShell } from './virsh.ts';

const DOMAINS = 10;
const IN_FLIGHT = 100;
/** A machine is noisy: many short rounds, each with all contenders right after one another in turning order; medians count. */
const ROUNDS = 25;
const ROUND_MS = 250;
const WARM_UP_MS = 500;

interface Contenders {
  readonly ours: () => Promise<unknown>;
  readonly ffi: () => Promise<unknown>;
  readonly virsh: () => Promise<unknown>;
}

/** Drover's client, libvirt.so through an FFI, and the virsh shell, all on one daemon with running domains. */
export async function benchLibvirt(): Promise<BenchRow[]> {
  const daemon = await TestDaemon.start();
  const uri = `qemu:///system?socket=${daemon.socketPath}`;
  try {
    await using ours = disposable(await openLibvirt({ uri }));
    const uuids = await startDomains(ours.libvirt);
    const ffi = openFfi(uri);
    const virsh = await VirshShell.open(uri);
    try {
      return await compareAll(ours.libvirt, ffi, virsh, uuids);
    } finally {
      ffi.close();
      await virsh.close();
    }
  } finally {
    await daemon.stop();
  }
}

async function compareAll(
  libvirt: Libvirt,
  ffi: Ffi,
  virsh: VirshShell,
  uuids: readonly string[],
): Promise<BenchRow[]> {
  let turn = 0;
  const next = () => uuids[turn++ % uuids.length] ?? '';
  const state: Contenders = {
    ours: () => libvirt.call('domainGetState', { dom: { uuid: next() } }),
    ffi: () => ffi.state(next()),
    virsh: () => virsh.run(`domstate ${next()}`),
  };
  const xml: Contenders = {
    ours: () => libvirt.call('domainGetXmlDesc', { dom: { uuid: next() } }),
    ffi: () => ffi.xmlLength(next()),
    virsh: () => virsh.run(`dumpxml ${next()}`),
  };
  // A state costs the daemon next to nothing, so these rows compare clients. An XML costs it far more than either client, so
  // that no client can be much faster than another: there, ours only must not be slower.
  return [
    ...(await compare('domain state, one call at a time', state, 1, 1)),
    ...(await compare(`domain state, ${IN_FLIGHT} calls in flight`, state, IN_FLIGHT, 1.8)),
    ...(await compare('domain XML, one call at a time', xml, 1, 1)),
    ...(await compare(`domain XML, ${IN_FLIGHT} calls in flight`, xml, IN_FLIGHT, 1)),
  ];
}

async function compare(what: string, contenders: Contenders, inFlight: number, goal: number): Promise<BenchRow[]> {
  const names = ['ours', 'ffi', 'virsh'] as const;
  const rates = { ours: [] as number[], ffi: [] as number[], virsh: [] as number[] };
  for (const name of names) await ratePerSecond(contenders[name], inFlight, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length] ?? 'ours';
      rates[name].push(await ratePerSecond(contenders[name], inFlight, ROUND_MS));
    }
  }
  const row = (baseline: 'ffi' | 'virsh', label: string): BenchRow => {
    const ratio = median(rates.ours.map((rate, round) => rate / (rates[baseline][round] ?? Number.NaN)));
    return {
      name: `libvirt: ${what}, beside ${label}`,
      unit: 'calls/s',
      ours: median(rates.ours),
      baseline: median(rates[baseline]),
      ratio,
      goal: `>= ${goal}`,
      holds: ratio >= goal,
    };
  };
  return [row('ffi', 'libvirt.so through koffi'), row('virsh', 'the virsh shell')];
}

async function startDomains(libvirt: Libvirt): Promise<string[]> {
  const names = Array.from({ length: DOMAINS }, (_, index) => `bench-${index}`);
  const started = await Promise.all(
    names.map((name) => libvirt.call('domainCreateXml', { xmlDesc: domainXml({ name }) })),
  );
  return started.map(({ dom }) => dom.uuid);
}

function disposable(libvirt: Libvirt) {
  return { libvirt, [Symbol.asyncDispose]: () => libvirt.close() };
}

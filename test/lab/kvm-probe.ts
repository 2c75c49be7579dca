import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { guestCacheFolder } from './guest/build.ts';
import { bootId } from './proc.ts';
import { type Report, silent } from './report.ts';

/**
 * Does KVM run guests on this machine?
 *
 * /dev/kvm may be there and still not run a guest: in some virtual machines the guest's firmware runs under it and Linux
 * hangs. So the test guest is booted, once per boot of the machine.
 */
export type KvmVerdict =
  | { readonly domainType: 'kvm' }
  /** Without KVM, QEMU translates the guest's code by itself (TCG): slower, everything else is the same. */
  | { readonly domainType: 'qemu'; readonly reason: string };

export interface KvmProbeOptions {
  /** Disk of the test guest; it is not written to. */
  readonly disk: string;
  readonly report?: Report;
  readonly cacheFile?: string;
  readonly device?: string;
}

const remembered = z.object({
  bootId: z.string(),
  disk: z.string(),
  verdict: z.discriminatedUnion('domainType', [
    z.object({ domainType: z.literal('kvm') }),
    z.object({ domainType: z.literal('qemu'), reason: z.string() }),
  ]),
});

/** Ten times what the guest needs under KVM. */
const BOOT_TIMEOUT_MS = 10_000;
const ALIVE = /drover-guest \S+ counter=\d+/;
const TAIL_LINES = 5;

/** @throws when QEMU is not installed. */
export async function probeKvm({
  disk,
  report = silent,
  cacheFile = join(dirname(guestCacheFolder()), 'kvm.json'),
  device = '/dev/kvm',
}: KvmProbeOptions): Promise<KvmVerdict> {
  const known = recall(cacheFile, disk);
  if (known) return known;
  const verdict: KvmVerdict = existsSync(device)
    ? await report.step('KVM probe: booting the test guest', () => bootUnderKvm(disk))
    : { domainType: 'qemu', reason: `there is no ${device}` };
  remember(cacheFile, { bootId: bootId(), disk, verdict });
  return verdict;
}

async function bootUnderKvm(disk: string): Promise<KvmVerdict> {
  const drive = `file=${disk},if=virtio,format=qcow2,snapshot=on`;
  const machine = ['-machine', 'q35,accel=kvm', '-cpu', 'host', '-m', '128', '-nodefaults', '-display', 'none'];
  // Should we die meanwhile, it dies with us.
  const qemu = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...machine, '-serial', 'stdio', '-drive', drive, '-no-reboot'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const tail: string[] = [];
  const ended = once(qemu, 'close');
  const alive = new Promise<KvmVerdict>((resolve) => {
    for (const stream of [qemu.stdout, qemu.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        tail.push(line);
        if (tail.length > TAIL_LINES) tail.shift();
        if (ALIVE.test(line)) resolve({ domainType: 'kvm' });
      });
    }
  });
  const timeout = Promise.withResolvers<KvmVerdict>();
  const late = `the test guest did not boot within ${BOOT_TIMEOUT_MS / 1000} s under KVM`;
  const timer = setTimeout(() => timeout.resolve({ domainType: 'qemu', reason: late }), BOOT_TIMEOUT_MS);
  try {
    return await Promise.race([
      alive,
      ended.then(([status, signal]) => refusal(status ?? signal, tail)),
      timeout.promise,
    ]);
  } finally {
    clearTimeout(timer);
    qemu.kill('SIGKILL');
    await ended;
  }
}

function refusal(status: unknown, tail: readonly string[]): KvmVerdict {
  if (status === 127)
    throw new Error('The KVM probe needs qemu-system-x86_64: install the Debian package qemu-system-x86.');
  return { domainType: 'qemu', reason: `QEMU ended with ${String(status)} under KVM: ${tail.join(' / ')}` };
}

function recall(cacheFile: string, disk: string): KvmVerdict | undefined {
  if (!existsSync(cacheFile)) return undefined;
  const known = remembered.safeParse(JSON.parse(readFileSync(cacheFile, 'utf8')));
  return known.success && known.data.bootId === bootId() && known.data.disk === disk ? known.data.verdict : undefined;
}

function remember(cacheFile: string, answer: z.infer<typeof remembered>): void {
  mkdirSync(dirname(cacheFile), { recursive: true });
  const draft = `${cacheFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(answer, undefined, 2)}\n`);
  renameSync(draft, cacheFile);
}

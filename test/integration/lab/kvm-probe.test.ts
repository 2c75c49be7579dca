import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { probeKvm } from '../../lab/kvm-probe.ts';

let folder: string;
let disk: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drover-kvm-probe-'));
  disk = (await buildGuestImage()).disk;
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

it('decides by a boot within seconds, and remembers it', async () => {
  const cacheFile = join(folder, 'kvm.json');
  const start = performance.now();
  const verdict = await probeKvm({ disk, cacheFile });
  expect(performance.now() - start).toBeLessThan(15_000);
  expect(verdict.domainType).toBeOneOf(['kvm', 'qemu']);
  if (verdict.domainType === 'qemu') expect(verdict.reason).not.toBe('');
  // A second boot could not answer so soon, and would need a disk.
  const again = performance.now();
  expect(await probeKvm({ disk, cacheFile, device: '/nonexistent' })).toEqual(verdict);
  expect(performance.now() - again).toBeLessThan(500);
});

it('asks anew after a reboot of the machine, or for another guest', async () => {
  const cacheFile = join(folder, 'old.json');
  const remember = (bootId: string, guest: string) =>
    writeFileSync(cacheFile, JSON.stringify({ bootId, disk: guest, verdict: { domainType: 'kvm' } }));
  const none = { domainType: 'qemu', reason: 'there is no /nonexistent' };
  remember('another-boot', disk);
  expect(await probeKvm({ disk, cacheFile, device: '/nonexistent' })).toEqual(none);
  const { bootId } = JSON.parse(readFileSync(cacheFile, 'utf8'));
  remember(bootId, '/another/guest.qcow2');
  expect(await probeKvm({ disk, cacheFile, device: '/nonexistent' })).toEqual(none);
  remember(bootId, disk);
  expect(await probeKvm({ disk, cacheFile, device: '/nonexistent' })).toEqual({ domainType: 'kvm' });
});

it('takes a guest that never comes to life under KVM as no', async () => {
  const blank = join(folder, 'blank.qcow2');
  writeFileSync(blank, '');
  const verdict = await probeKvm({ disk: blank, cacheFile: join(folder, 'blank.json'), device: '/dev/null' });
  expect(verdict).toMatchObject({ domainType: 'qemu' });
});

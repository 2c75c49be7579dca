import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { eventually } from '../eventually.ts';
import { type OwnHosts, startOwnHosts } from '../lab/own-hosts.ts';
import { startDomain } from '../lab/test-domain.ts';

const GUESTS = join(import.meta.dirname, '../../../src/agent/storage-lease/own-guests.ts');
const URI = 'https://drover.dev/domain/v1';

let own: OwnHosts;
beforeAll(async () => {
  own = await startOwnHosts('own-guests', 1);
});
afterAll(() => own.remove());

it("finds and kills Drover's guests by what libvirt itself has recorded of them, and no others", async () => {
  const host = own.host(1);
  const { disk: image } = await buildGuestImage();
  for (const name of ['default_web', 'their_own', 'plain']) await startDomain(host, { name, image, memoryMib: 64 });
  const vm = `<vm namespace='default' name='web' uid='${randomUUID()}' epoch='3' restartedAt='' startedAt='2026-01-01T00:00:00Z'/>`;
  await host.run('virsh', ['metadata', 'default_web', URI, 'drover', '--set', vm, '--live']);
  const program = `
    import { OwnGuests } from '${GUESTS}';
    const guests = new OwnGuests('/run/libvirt/qemu');
    const before = guests.left();
    const killed = guests.kill(() => undefined);
    while (guests.left() > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ before, killed }));`;
  const said = await host.run(process.execPath, ['--input-type=module', '--eval', program]);
  expect(JSON.parse(said)).toEqual({ before: 1, killed: ['default_web'] });
  // libvirt notices a moment after the kernel that a QEMU is gone.
  await eventually('the others alone to be left', async () => {
    const left = (await host.run('virsh', ['list', '--name'])).trim().split('\n').toSorted();
    return left.join() === 'plain,their_own';
  });
});

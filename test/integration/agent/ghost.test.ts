import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-ghost');
});
afterAll(async () => {
  await world?.remove();
});

/**
 * Leaves what a libvirtd leaves that dies after it wrote that it starts a domain and before it started QEMU. The record is
 * the one that libvirtd wrote of this very domain, set back to that moment.
 */
async function leaveGhost(vm: { name: string }, removesRecord = false): Promise<void> {
  const domain = `default_${vm.name}`;
  const record = join(world.host.files.run, 'libvirt', 'qemu', `${domain}.xml`);
  const running = readFileSync(record, 'utf8');
  const starting = running
    .replace(/<domstatus [^>]*>/, `<domstatus state='paused' reason='starting up' pid='0'>`)
    .replace('<vcpus>', `<job type='none' async='start' phase='none' flags='0x0'/>\n  <vcpus>`);
  expect(starting).toContain(`async='start'`);
  await world.killAgent();
  await world.virsh('destroy', domain);
  await world.host.stopLibvirtd('killed');
  writeFileSync(record, starting);
  await world.host.startLibvirtd();
  expect(await world.virsh('domstate', '--reason', domain)).toContain('paused (starting up)');
  if (removesRecord) rmSync(record);
}

it('ends a domain that libvirt lists but never started, and starts the VM; others run on', async () => {
  await world.startAgent();
  const [vm, other] = [world.fresh('ghost'), world.fresh('beside')];
  await world.create(vm);
  await world.create(other);
  const before = await world.phase(vm.name, 'Running');
  const beside = await world.phase(other.name, 'Running');
  await leaveGhost(vm);
  await world.startAgent();
  const after = await world.statusWhere(
    vm.name,
    'running anew',
    ({ phase, startedAt }) => phase === 'Running' && startedAt !== before.startedAt,
    90_000,
  );
  expect(after.restarts).toBe(1);
  expect(await world.virsh('domstate', '--reason', `default_${vm.name}`)).toContain('running');
  expect((await world.status(other.name))?.startedAt).toBe(beside.startedAt);
  expect(await world.metric('drover_ghost_domains_total')).toBe(1);
}, 180_000);

it('confirms that a VM is off of which libvirt lists such a domain, also after an agent died half-way', async () => {
  const vm = world.fresh('ghost-off');
  await world.create(vm);
  await world.phase(vm.name, 'Running');
  await leaveGhost(vm, true);
  await world.change(vm.name, { powerState: 'Off' });
  await world.startAgent();
  await world.phase(vm.name, 'Off', 90_000);
  await eventually('the domain is gone', async () => (await world.domain(vm.name)) === undefined);
}, 180_000);

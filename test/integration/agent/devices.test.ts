import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bridgeName } from '../../../src/api/common/bridge-name.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualSwitch } from '../../../src/api/network.ts';
import { seal } from '../../../src/runtime/sealed.ts';
import { nic } from '../../builders/virtual-machine-instance.ts';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-devices');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

async function addSwitch(name: string, spec: object = {}): Promise<void> {
  const object = { apiVersion: 'drover.dev/v1alpha1', kind: 'VirtualSwitch', metadata: { name }, spec };
  await world.client.create(VirtualSwitch, object);
}

async function hostStatus() {
  return (await world.client.get(Host, { name: world.host.name })).status;
}

/** What the host says of a switch, once it says that it has it or has it not. */
async function switchOnHost(name: string, available: boolean) {
  return await eventually(`the host says of switch ${name}: ${available}`, async () =>
    (await hostStatus())?.switches?.find((each) => each.name === name && each.available === available),
  );
}

/** Interfaces of the host that are plugged into a bridge. */
async function portsOf(bridge: string): Promise<string[]> {
  const links = JSON.parse(await world.host.run('ip', ['-json', 'link', 'show', 'master', bridge]));
  return links.map(({ ifname }: { ifname: string }) => ifname);
}

async function hasBridge(bridge: string): Promise<boolean> {
  const links = JSON.parse(await world.host.run('ip', ['-json', 'link', 'show', 'type', 'bridge']));
  return links.some(({ ifname }: { ifname?: string }) => ifname === bridge);
}

describe('a NIC', () => {
  it("is plugged into its switch's bridge, with its MAC address", async () => {
    await addSwitch('lan', { mtu: 1400 });
    const vm = world.fresh('plugged');
    await world.create(vm, { nics: [nic({ virtualSwitchName: 'lan', mac: '52:54:00:00:00:01' })] });
    await world.phase(vm.name, 'Running');
    const bridge = bridgeName('lan', undefined);
    const [port = ''] = await portsOf(bridge);
    expect(await world.virsh('domiflist', `default_${vm.name}`)).toMatch(
      new RegExp(`${port} +bridge +${bridge} +virtio +52:54:00:00:00:01`),
    );
    expect(JSON.parse(await world.host.run('ip', ['-json', 'link', 'show', port]))).toMatchObject([{ mtu: 1400 }]);
    expect(await switchOnHost('lan', true)).toMatchObject({ message: '' });
  });

  it('whose switch does not exist says so, and is plugged in once it does', async () => {
    const vm = world.fresh('early');
    await world.create(vm, { nics: [nic({ virtualSwitchName: 'later', mac: '52:54:00:00:00:02' })] });
    const failed = await world.phase(vm.name, 'Failed');
    expect(failed).toMatchObject({
      reason: 'ReferenceNotFound',
      message: expect.stringContaining('VirtualSwitch "later" does not exist; make it'),
    });
    await addSwitch('later');
    await world.phase(vm.name, 'Running');
    expect(await portsOf(bridgeName('later', undefined))).toHaveLength(1);
  });

  it('whose uplink the host lacks says so; so does the host', async () => {
    await addSwitch('wrong', { uplink: 'eth77' });
    const vm = world.fresh('uplink');
    await world.create(vm, { nics: [nic({ virtualSwitchName: 'wrong', mac: '52:54:00:00:00:03' })] });
    const failed = await world.phase(vm.name, 'Failed');
    expect(failed).toMatchObject({ reason: 'HostUnavailable', message: expect.stringContaining('eth77') });
    const told = await switchOnHost('wrong', false);
    expect(told.message).toContain('eth77');
  });

  it('keeps its bridge when the switch is deleted, until its VM is gone', async () => {
    await addSwitch('passing');
    await addSwitch('idle');
    const vm = world.fresh('last');
    await world.create(vm, { nics: [nic({ virtualSwitchName: 'passing', mac: '52:54:00:00:00:04' })] });
    await world.phase(vm.name, 'Running');
    const [passing, idle] = [bridgeName('passing', undefined), bridgeName('idle', undefined)];
    await eventually('the bridge of the other switch', () => hasBridge(idle));
    await world.client.delete(VirtualSwitch, { name: 'passing' });
    await world.client.delete(VirtualSwitch, { name: 'idle' });
    await eventually('the bridge that nobody uses is gone', async () => !(await hasBridge(idle)));
    expect(await hasBridge(passing)).toBe(true);
    expect(await portsOf(passing)).toHaveLength(1);
  });
});

describe('cloud-init', () => {
  const OPEN = { instanceID: 'i-1', hostname: 'web', userData: '#cloud-config\nhostname: web\n', networkData: '' };

  /** A file of the seed disk that the guest finds, read on the host; undefined when there is no such disk. */
  async function seedFile(vm: string, file: string): Promise<string | undefined> {
    const disks = await world.virsh('domblklist', `default_${vm}`);
    const path = /vdz +(\S+)/.exec(disks)?.[1];
    return path && (await world.host.run('isoinfo', ['-R', '-i', path, '-x', `/${file}`]));
  }

  it('stands on a small disk of the guest as long as it runs', async () => {
    const vm = world.fresh('init');
    await world.create(vm, { cloudInit: OPEN });
    await world.phase(vm.name, 'Running');
    expect(await seedFile(vm.name, 'user-data')).toBe('#cloud-config\nhostname: web');
    expect(await seedFile(vm.name, 'meta-data')).toBe('instance-id: "i-1"\nlocal-hostname: "web"');
    const path = /vdz +(\S+)/.exec(await world.virsh('domblklist', `default_${vm.name}`))?.[1] ?? '';
    await world.change(vm.name, { powerState: 'Off' });
    await world.phase(vm.name, 'Off');
    await expect(world.host.run('test', ['!', '-e', path])).resolves.toBe('');
  });

  it('that came sealed for this host is opened there, and stands nowhere in the API', async () => {
    const vm = world.fresh('sealed');
    const key = await eventually('the key of the host', async () => (await hostStatus())?.sealingKey);
    const box = seal(key, Buffer.from('#cloud-config\npassword: hush\n'), `default/${vm.name}/${vm.uid}`);
    await world.create(vm, { cloudInit: { ...OPEN, userData: '', sealedUserData: { source: 'secret/1/k', box } } });
    await world.phase(vm.name, 'Running');
    expect(await seedFile(vm.name, 'user-data')).toContain('password: hush');
    expect(JSON.stringify(await world.status(vm.name))).not.toContain('hush');
    expect(world.logged('hush')).toBe(false);
  });

  it('that was sealed for another VM is refused, with a clear reason', async () => {
    const vm = world.fresh('stolen');
    const key = await eventually('the key of the host', async () => (await hostStatus())?.sealingKey);
    const box = seal(key, Buffer.from('#cloud-config\npassword: hush\n'), 'default/other/uid-of-other');
    await world.create(vm, { cloudInit: { ...OPEN, userData: '', sealedUserData: { source: 'secret/1/k', box } } });
    const failed = await world.phase(vm.name, 'Failed');
    expect(failed).toMatchObject({ reason: 'HostNotPrepared', message: expect.stringMatching(/user-data|sealed/i) });
    expect(await world.domain(vm.name)).toBeUndefined();
  });
});

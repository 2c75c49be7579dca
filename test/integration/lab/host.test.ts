import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { LOCAL_DATASTORE_PATH, SHARED_DATASTORE_PATH } from '../../lab/host/host-files.ts';
import { LabHost, listHosts, startHost } from '../../lab/host/lab-host.ts';
import { cablesOf, createBridge, linkExists, UPLINK_NIC, uplinkBridgeOf } from '../../lab/host/network.ts';
import { firstPidOf } from '../../lab/host/power.ts';
import { livingProcesses } from '../../lab/proc.ts';
import { listProcesses } from '../../lab/processes.ts';
import { run } from '../../lab/run.ts';
import { commandOf, isAlive, mountsOf, namespacesOf, processesIn } from './host-processes.ts';
import { type OwnHosts, startOwnHosts } from './own-hosts.ts';
import { reaches, reachesNot } from './reach.ts';
import { reachesTagged } from './tagged-frame.ts';
import { BOOT_TIMEOUT_MS, createDomain, domainNames, startDomain, virsh, waitForCounter } from './test-domain.ts';

let own: OwnHosts;
let one: LabHost;
let two: LabHost;
let image: string;

beforeAll(async () => {
  image = (await buildGuestImage()).disk;
  own = await startOwnHosts('hosts', 2);
  one = own.host(1);
  two = own.host(2);
}, 300_000);
afterAll(async () => own.remove());

describe('a lab host', () => {
  it('is a machine of its own: host name, processes, network, libvirt identity', async () => {
    expect((await one.run('hostname', [])).trim()).toBe('host-1');
    expect((await one.run('cat', ['/proc/1/cmdline'])).split('\0')).toContain('host-1');
    expect((await one.run('ls', ['/sys/class/net'])).split('\n').sort()).toEqual(['eth0', 'eth1', 'lo']);
    expect(await virsh(one, 'capabilities')).toContain(`<uuid>${one.identity.uuid}</uuid>`);
    expect(await virsh(one, 'hostname')).toContain('host-1');
    expect(await virsh(two, 'capabilities')).toContain(`<uuid>${two.identity.uuid}</uuid>`);
    expect(await virsh(two, 'net-list', '--all', '--name')).toBe('');
  });

  it('shares one datastore with the others and keeps one for itself', async () => {
    await one.run('sh', ['-c', `echo shared >${SHARED_DATASTORE_PATH}/note; echo own >${LOCAL_DATASTORE_PATH}/note`]);
    expect(await two.run('cat', [`${SHARED_DATASTORE_PATH}/note`])).toBe('shared');
    expect(await two.run('ls', [LOCAL_DATASTORE_PATH])).toBe('');
    expect(readFileSync(join(one.files.localDatastore, 'note'), 'utf8')).toBe('own\n');
    expect(existsSync(join('/var/lib/drover/datastores/local', 'note'))).toBe(false);
  });

  it('has an uplink on which bridges reach the other hosts', async () => {
    await switchOnUplink(one, '198.51.100.1');
    await switchOnUplink(two, '198.51.100.2');
    await reaches(one, '198.51.100.2');
    await removeSwitch(one);
    await removeSwitch(two);
  });

  it('has an uplink that carries the frames of VLANs', async () => {
    await reachesTagged(one, two, UPLINK_NIC);
  });

  it('is reached by its peers and the machine, is cut off, stays cut off over a power cycle, and is healed', async () => {
    const three = await startHost(own.lab, 3);
    await reaches(three, one.address);
    await reaches(three, own.lab.subnet.gateway);
    await three.cut();
    await reachesNot(three, one.address);
    await reachesNot(three, own.lab.subnet.gateway);
    expect((await three.run('cat', ['/sys/class/net/eth0/carrier'])).trim()).toBe('0');
    await three.kill();
    await three.powerOn();
    await reachesNot(three, one.address);
    await three.heal();
    await reaches(three, one.address);
    await reaches(one, three.address);
    await three.destroy();
  });

  it('lets no user of the machine but root reach its libvirtd', async () => {
    const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'virsh', '-c'];
    await expect(run('setpriv', [...asNobody, one.libvirtUri, 'uri'])).rejects.toThrow(/Permission denied/);
    const overNetwork = `qemu+tcp://${one.address}/system`;
    await expect(run('setpriv', [...asNobody, overNetwork, 'uri'])).rejects.toThrow(/refused/);
    const withoutCertificate = `qemu+tls://${one.address}/system`;
    await expect(run('setpriv', [...asNobody, withoutCertificate, 'uri'])).rejects.toThrow(/certificate/i);
    expect(await two.run('virsh', ['-c', one.libvirtPeerUri, 'hostname'])).toContain('host-1');
  });
});

describe('libvirtd of a lab host', { timeout: 2 * BOOT_TIMEOUT_MS }, () => {
  it.each(['asked', 'killed'] as const)('can be restarted (%s) while its domains run on', async (how) => {
    const { name } = await startDomain(one, { name: `kept-${how}`, image });
    const counter = await waitForCounter(one, name, 1);
    const qemu = processesIn(one).filter((facts) => commandOf(facts).includes(`guest=${name},`));
    expect(qemu).toHaveLength(1);
    const { pid } = one.findProcess('libvirtd') ?? { pid: 0 };

    await one.restartLibvirtd(how);
    expect(one.findProcess('libvirtd')?.pid).not.toBe(pid);
    expect(await domainNames(one)).toContain(name);
    expect(processesIn(one)).toEqual(expect.arrayContaining(qemu.map(({ pid }) => expect.objectContaining({ pid }))));
    await waitForCounter(one, name, counter + 2);
    await virsh(one, 'destroy', name);
  });
});

describe('the death of a lab host', { timeout: 3 * BOOT_TIMEOUT_MS }, () => {
  it('takes everything in it along at once, and nothing else', async () => {
    const victim = await startHost(own.lab, 3);
    await victim.startProcess({ name: 'agent', command: 'sh', args: ['-c', 'trap "" TERM; setsid sleep 1000 & wait'] });
    const { name } = await startDomain(victim, { name: 'victim', image });
    const bystander = await startDomain(two, { name: 'bystander', image });
    await waitForCounter(victim, name, 1);
    const counter = await waitForCounter(two, bystander.name, 1);
    const doomed = processesIn(victim);
    for (const program of ['libvirtd', 'guest=victim,', 'sleep 1000']) {
      expect(doomed.map(commandOf).filter((command) => command.includes(program))).not.toEqual([]);
    }
    const others = [...processesIn(one), ...processesIn(two)];

    await victim.kill();
    expect(doomed.filter(isAlive)).toEqual([]);
    expect(others.filter((facts) => !isAlive(facts))).toEqual([]);
    expect(victim.hasPower()).toBe(false);
    expect(victim.libvirtdRuns()).toBe(false);
    expect(listProcesses(own.lab.folder).filter((record) => record.name.startsWith('host-3'))).toEqual([]);
    expect(linkExists(cablesOf(own.lab, 3).management)).toBe(false);
    await expect(victim.run('true', [])).rejects.toThrow('host-3 is off');
    await waitForCounter(two, bystander.name, counter + 2);

    await victim.powerOn();
    expect(await domainNames(victim)).toEqual([]);
    await createDomain(victim, { name, disk: join(SHARED_DATASTORE_PATH, `${name}.qcow2`) });
    await waitForCounter(victim, name, 2);
    await virsh(two, 'destroy', bystander.name);
    await victim.destroy();
  });
});

describe('starting and removing lab hosts', { timeout: 2 * BOOT_TIMEOUT_MS }, () => {
  it('changes nothing when the host is up', async () => {
    const before = processesIn(one).map(({ pid }) => pid);
    await createBridge(own.lab);
    await startHost(own.lab, 1);
    await reaches(one, two.address);
    expect(processesIn(one).map(({ pid }) => pid)).toEqual(expect.arrayContaining(before));
  });

  it('goes on with hosts whose lab has crashed, at whatever step', async () => {
    const script = join(own.lab.folder, 'crash.ts');
    const module = join(import.meta.dirname, '../../lab/host/lab-host.ts');
    for (const delayMs of [60, 150, 400]) {
      writeFileSync(
        script,
        `import { startHost } from ${JSON.stringify(module)};
         setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${delayMs});
         await startHost(${JSON.stringify(own.lab)}, 4);
         await new Promise(() => setInterval(() => undefined, 1000));`,
      );
      await expect(run(process.execPath, [script])).rejects.toThrow(/SIGKILL/);
      const host = await startHost(own.lab, 4);
      await reaches(host, one.address);
      expect(await virsh(host, 'hostname')).toContain('host-4');
      expect(listHosts(own.lab).map(({ name }) => name)).toContain('host-4');
      await host.destroy();
    }
  });

  it('leaves nothing of a destroyed host', async () => {
    const host = await startHost(own.lab, 5);
    const { name } = await startDomain(host, { name: 'last', image });
    await waitForCounter(host, name, 1);
    const processes = processesIn(host);
    const namespaces = namespacesOf(firstPidOf(own.lab, 5)).filter((id) => !namespacesOf(process.pid).includes(id));
    expect(namespaces).toHaveLength(5);
    const mounts = mountsOf(process.pid);

    await host.destroy();
    expect(processes.filter(isAlive)).toEqual([]);
    const inUse = new Set(livingProcesses().flatMap(({ pid }) => namespacesOf(pid)));
    expect(namespaces.filter((id) => inUse.has(id))).toEqual([]);
    expect(mountsOf(process.pid).filter((mount) => mount.includes('host-5'))).toEqual([]);
    expect(mounts.filter((mount) => mount.includes('host-5'))).toEqual([]);
    for (const cable of Object.values(cablesOf(own.lab, 5))) expect(linkExists(cable)).toBe(false);
    expect(existsSync(host.files.folder)).toBe(false);
    expect(existsSync(host.files.run)).toBe(false);
    expect(readdirSync(join(own.lab.folder, 'processes')).filter((file) => file.startsWith('host-5'))).toEqual([]);
  });

  it('runs beside a lab of the same machine with the same host numbers, and goes without a trace', async () => {
    const other = await startOwnHosts('neighbour', 1);
    const [neighbour] = other.hosts;
    expect(neighbour?.address).not.toBe(one.address);
    await reaches(new LabHost(other.lab, 1), other.lab.subnet.gateway);
    await reachesNot(new LabHost(other.lab, 1), one.address);
    await other.remove();
    expect(linkExists(other.lab.bridge)).toBe(false);
    expect(linkExists(uplinkBridgeOf(other.lab))).toBe(false);
    expect(existsSync(other.lab.folder)).toBe(false);
    expect(existsSync(join('/run/drover-lab', other.lab.tag))).toBe(false);
    await reaches(one, two.address);
  });
});

/** A bridge as the agent makes it for a VirtualSwitch, with an address of the host's on it. */
async function switchOnUplink(host: LabHost, address: string): Promise<void> {
  await host.run('sh', [
    '-ec',
    `ip link add vs0 type bridge stp_state 0 forward_delay 0
     ip link set ${UPLINK_NIC} master vs0
     ip link set vs0 up
     ip address add ${address}/24 dev vs0`,
  ]);
}

async function removeSwitch(host: LabHost): Promise<void> {
  await host.run('ip', ['link', 'delete', 'vs0']);
}

import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import {
  type VirtualMachineInstance as Instance,
  type InstanceDisk,
  VirtualMachineInstance,
  type VirtualMachineInstanceSpec,
  type VirtualMachineInstanceStatus,
} from '../../../src/api/virtual-machine-instance.ts';
import type { Run } from '../../../src/core/instance/index.ts';
import { type DomainFacts, domainFacts, domainXml } from '../../../src/domain/index.ts';
import type { KubeClient } from '../../../src/kube/index.ts';
import { isLibvirtError, type Libvirt, openLibvirt } from '../../../src/libvirt/index.ts';
import { type BootProgram, bootSector } from '../../builders/boot-sector.ts';
import { disk, instanceSpec } from '../../builders/virtual-machine-instance.ts';
import type { ControlPlane } from '../../lab/control-plane/control-plane.ts';
import { startControlPlane } from '../../lab/control-plane/start.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { stopAllProcesses } from '../../lab/processes.ts';
import { claimIdentity, releaseIdentity } from '../../lab/slots.ts';
import { installCrds } from '../api/install-crds.ts';
import { adminClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { type OwnHosts, startOwnHosts } from '../lab/own-hosts.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const AGENT = 'agent';
const IMAGES = '/var/lib/libvirt/images';
const METRICS_PORT = 9464;
export const NAMESPACE = 'default';

/** One KVM host with a libvirtd of its own, an API server that it reaches, and the agent as a process in the host. */
export class AgentWorld {
  readonly host: LabHost;
  readonly controlPlane: ControlPlane;
  readonly client: KubeClient;
  readonly libvirt: Libvirt;
  readonly #remove: () => Promise<void>;
  #serial = 0;
  /** The agent's log; all agents of this world append to one file. */
  readonly #log: { file?: string; startsAt: number } = { startsAt: 0 };

  private constructor(parts: {
    host: LabHost;
    controlPlane: ControlPlane;
    client: KubeClient;
    libvirt: Libvirt;
    remove: () => Promise<void>;
  }) {
    this.host = parts.host;
    this.controlPlane = parts.controlPlane;
    this.client = parts.client;
    this.libvirt = parts.libvirt;
    this.#remove = parts.remove;
  }

  static async open(purpose: string): Promise<AgentWorld> {
    const own = await startOwnHosts(purpose, 1);
    const identity = claimIdentity(CHECKOUT, `it-${process.pid}-${purpose}`);
    const removeAll = async (): Promise<void> => {
      await stopAllProcesses(identity.folder, { graceMs: 0 });
      releaseIdentity(identity);
      rmSync(identity.folder, { recursive: true, force: true });
      await own.remove();
    };
    try {
      const controlPlane = await startControlPlane({ identity, address: own.lab.subnet.gateway });
      const client = adminClient(controlPlane.kubeconfig);
      await installCrds(client);
      await controlPlane.kubectl(['create', 'namespace', SYSTEM_NAMESPACE]);
      const libvirt = await openLibvirt({ socketPath: hostOf(own).files.libvirtSocket });
      const remove = async (): Promise<void> => {
        await libvirt.close();
        await client.close();
        await controlPlane.close();
        await removeAll();
      };
      return new AgentWorld({ host: hostOf(own), controlPlane, client, libvirt, remove });
    } catch (error) {
      await removeAll();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.#remove();
  }

  async startAgent(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const args = [
      '--node-name',
      this.host.name,
      '--kubeconfig',
      this.controlPlane.kubeconfig,
      '--virtualization',
      'qemu',
      '--http-host',
      this.host.address,
      '--http-port',
      String(METRICS_PORT),
      '--log-level',
      'debug',
    ];
    this.#log.startsAt = this.#log.file === undefined ? 0 : statSync(this.#log.file).size;
    const { logFile } = await this.host.startProcess({
      name: AGENT,
      command: process.execPath,
      args: [join(CHECKOUT, 'src', 'bin', 'agent.ts'), ...args],
      env,
    });
    this.#log.file = logFile;
  }

  async killAgent(): Promise<void> {
    await this.host.stopProcess(AGENT, 0);
  }

  async stopAgent(): Promise<void> {
    await this.host.stopProcess(AGENT);
  }

  agentRuns(): boolean {
    return this.host.findProcess(AGENT) !== undefined;
  }

  /** A name and UUIDs that no other test of this world has. */
  fresh(name: string): { name: string; uid: string; domainUUID: string } {
    const serial = String(++this.#serial).padStart(12, '0');
    return { name: `${name}-${this.#serial}`, uid: `vm-${serial}`, domainUUID: `d0000000-0000-4000-8000-${serial}` };
  }

  /** Creates an instance as the operator would, for this host. */
  async create(
    vm: { name: string; uid: string; domainUUID: string },
    changes: Partial<VirtualMachineInstanceSpec> = {},
  ): Promise<Instance> {
    const spec = instanceSpec({
      host: this.host.name,
      virtualMachineUID: vm.uid,
      domainUUID: vm.domainUUID,
      gracePeriodSeconds: 0,
      ...changes,
    });
    return await this.client.create<Instance>(VirtualMachineInstance, {
      apiVersion: 'drover.dev/v1alpha1',
      kind: 'VirtualMachineInstance',
      metadata: { namespace: NAMESPACE, name: vm.name },
      spec,
    });
  }

  async change(name: string, spec: Partial<VirtualMachineInstanceSpec>): Promise<Instance> {
    return await this.client.patch<Instance>(
      VirtualMachineInstance,
      { namespace: NAMESPACE, name },
      { type: 'merge', body: { spec } },
    );
  }

  async delete(name: string): Promise<void> {
    await this.client.delete(VirtualMachineInstance, { namespace: NAMESPACE, name });
  }

  async status(name: string): Promise<VirtualMachineInstanceStatus | undefined> {
    return (await this.client.get<Instance>(VirtualMachineInstance, { namespace: NAMESPACE, name })).status;
  }

  /** Waits until the status is as wanted, and returns it. */
  async statusWhere(
    name: string,
    what: string,
    wanted: (status: VirtualMachineInstanceStatus) => boolean,
    timeoutMs = 30_000,
  ): Promise<VirtualMachineInstanceStatus> {
    let seen: VirtualMachineInstanceStatus | undefined;
    try {
      return await eventually(
        `${name} is ${what}`,
        async () => {
          seen = await this.status(name);
          return seen !== undefined && wanted(seen) ? seen : undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${name} should be ${what}; its status is ${JSON.stringify(seen)}`, { cause: error });
    }
  }

  async phase(name: string, phase: VirtualMachineInstanceStatus['phase'], timeoutMs?: number) {
    return await this.statusWhere(name, String(phase), (status) => status.phase === phase, timeoutMs);
  }

  /** Facts of a running domain; undefined when there is none of this name. */
  async domain(name: string): Promise<(DomainFacts & { id: number }) | undefined> {
    const { domains } = await this.libvirt.call('connectListAllDomains');
    const dom = domains.find((each) => each.name === `${NAMESPACE}_${name}`);
    if (dom === undefined) return undefined;
    try {
      const { xml } = await this.libvirt.call('domainGetXmlDesc', { dom });
      return { ...domainFacts(xml), id: dom.id };
    } catch (error) {
      if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
      throw error;
    }
  }

  /** Makes an empty disk on the host. */
  async disk(name: string, changes: Partial<InstanceDisk> = {}): Promise<InstanceDisk> {
    const path = `${IMAGES}/${name}-${++this.#serial}.qcow2`;
    await this.host.run('mkdir', ['-p', IMAGES]);
    await this.host.run('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    return disk({ name, path, ...changes });
  }

  /** Makes a disk from which a guest boots that does one thing. */
  async bootDisk(
    name: string,
    program: BootProgram,
    { sizeMiB = 1, folder = IMAGES }: { sizeMiB?: number; folder?: string } = {},
  ): Promise<InstanceDisk> {
    const file = `${name}-${++this.#serial}.img`;
    await this.host.run('mkdir', ['-p', IMAGES]);
    const seen = join(this.host.files.root, IMAGES, file);
    writeFileSync(seen, bootSector(program));
    truncateSync(seen, sizeMiB * 2 ** 20);
    if (folder !== IMAGES) await this.host.run('mv', [join(IMAGES, file), folder]);
    return disk({ name, path: join(folder, file), format: 'raw', bootOrder: 1 });
  }

  /** Mounts a file system of this size (mount(8), size=) on the host, and returns where. It ends with the host. */
  async smallFileSystem(name: string, size: string): Promise<string> {
    const folder = `/var/lib/libvirt/${name}-${++this.#serial}`;
    await this.host.run('mkdir', ['-p', folder]);
    await this.host.run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'small', folder]);
    return folder;
  }

  /** What a guest has written to its serial console. */
  console(name: string): string {
    return readFileSync(join(this.host.files.libvirtLogs, 'qemu', `${NAMESPACE}_${name}.console.log`), 'latin1');
  }

  /** Puts the records in place that an agent would find, in its state directory. Only while no agent runs. */
  writeRecords(virtualMachines: Readonly<Record<string, { epoch: number; run?: Run }>>): void {
    const folder = join(this.host.files.root, 'var/lib/drover/agent');
    mkdirSync(folder, { recursive: true });
    const stamped = Object.entries(virtualMachines).map(([uid, record]) => [
      uid,
      { ...record, at: new Date().toISOString() },
    ]);
    writeFileSync(
      join(folder, 'runs.json'),
      JSON.stringify({ version: 1, virtualMachines: Object.fromEntries(stamped) }),
    );
  }

  /** Starts the domain of an instance past the agent, as an agent that died right after it would have. */
  async createDomain(vm: { name: string }, spec: VirtualMachineInstanceSpec, startedAt: string): Promise<void> {
    const consoleLogPath = `/var/log/libvirt/qemu/${NAMESPACE}_${vm.name}.console.log`;
    const xmlDesc = domainXml(
      { namespace: NAMESPACE, name: vm.name, spec },
      { virtualization: 'qemu', consoleLogPath, ports: new Map() },
      startedAt,
    );
    await this.libvirt.call('domainCreateXml', { xmlDesc });
  }

  /** Decisions that the agent logged about a VM since it was started, oldest first. */
  decisions(name: string): string[] {
    return this.#logLines()
      .filter((line) => line.includes('"msg":"decided"') && line.includes(`"key":"${NAMESPACE}/${name}"`))
      .map((line) => String(JSON.parse(line).step));
  }

  /** Whether a line that the agent logged since it was started holds all of these texts. */
  logged(...texts: string[]): boolean {
    return this.#logLines().some((line) => texts.every((text) => line.includes(text)));
  }

  #logLines(): string[] {
    const { file, startsAt } = this.#log;
    return file === undefined ? [] : readFileSync(file).subarray(startsAt).toString('utf8').split('\n');
  }

  /** Puts a file on the host, and returns its path there. */
  async file(name: string, content: string): Promise<string> {
    writeFileSync(join(this.host.files.root, 'var/lib/libvirt', name), content);
    return `/var/lib/libvirt/${name}`;
  }

  /** As a bug in QEMU would: it is gone, and libvirt finds out. */
  async killQemu(name: string): Promise<void> {
    await this.host.run('kill', ['-9', await this.#qemuPid(name)]);
  }

  /** What libvirt sees when a guest shuts itself down: QEMU ends in good order, unasked by libvirt. */
  async guestPowersOff(name: string): Promise<void> {
    await this.host.run('kill', ['-TERM', await this.#qemuPid(name)]);
  }

  async #qemuPid(name: string): Promise<string> {
    return (await this.host.run('cat', [`/run/libvirt/qemu/${NAMESPACE}_${name}.pid`])).trim();
  }

  async virsh(...args: string[]): Promise<string> {
    return await this.host.run('virsh', ['-q', '-c', 'qemu:///system', ...args]);
  }

  /** One sample of the agent's metrics; 0 when it is not there yet. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await fetch(`http://${this.host.address}:${METRICS_PORT}/metrics`)).text();
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    return text
      .split('\n')
      .filter(
        (line) =>
          (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && wanted.every((label) => line.includes(label)),
      )
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }
}

function hostOf({ host }: OwnHosts): LabHost {
  return host(1);
}

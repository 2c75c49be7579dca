import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Host } from '../../src/api/host.ts';
import { KINDS } from '../../src/api/kinds.ts';
import { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { type KindRef, KubeClient, KubeError, type KubeObject, loadConfig } from '../../src/kube/index.ts';
import { type ConsoleCounters, readConsoleCounters } from '../lab/guest/console-counters.ts';
import type { LabHost } from '../lab/host/lab-host.ts';
import { type Lab, openLab } from '../lab/lab.ts';
import { run } from '../lab/run.ts';
import { type Seen, waitFor } from '../lab/wait.ts';
import { CHECKOUT, E2E_INSTANCE } from './setup.ts';

const TIMEOUT_MS = 120_000;

export interface DomainOnHost {
  readonly host: string;
  readonly domain: string;
}

/** The shared lab as a user sees it: an API server to apply to, and hosts on which one can look. */
export class Story {
  readonly lab: Lab;
  readonly client: KubeClient;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.client = new KubeClient({
      connection: loadConfig({ kubeconfigPath: lab.identity.kubeconfig }),
      userAgent: 'drover-e2e',
    });
  }

  static async open(): Promise<Story> {
    return new Story(await openLab(CHECKOUT, E2E_INSTANCE));
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.lab.close();
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await this.lab.kubectl(args, input);
  }

  async apply(...objects: readonly object[]): Promise<string> {
    return await this.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  }

  async vm(name: string): Promise<VirtualMachine> {
    return await this.client.get(VirtualMachine, { namespace: 'default', name });
  }

  async instance(name: string): Promise<VirtualMachineInstance> {
    return await this.client.get(VirtualMachineInstance, { namespace: 'default', name });
  }

  async vmWhen(name: string, what: string, holds: (vm: VirtualMachine) => boolean): Promise<VirtualMachine> {
    return await this.when(VirtualMachine, { namespace: 'default', name }, what, holds);
  }

  async running(name: string): Promise<VirtualMachine> {
    return await this.vmWhen(name, 'to run', ({ status, metadata }) => {
      return status?.phase === 'Running' && status.observedGeneration === metadata.generation;
    });
  }

  async hostsReady(): Promise<void> {
    for (const { name } of this.lab.hosts) {
      await this.when(Host, { name }, 'to be ready', ({ status }) =>
        (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True'),
      );
    }
  }

  async when<T extends KubeObject>(
    kind: KindRef<T>,
    ref: { name: string; namespace?: string },
    what: string,
    holds: (object: T) => boolean,
  ): Promise<T> {
    const probe = async (): Promise<Seen<T>> => {
      const object = await this.find(kind, ref);
      if (object !== undefined && holds(object)) return { ready: true, value: object };
      return { ready: false, because: object === undefined ? 'it does not exist' : JSON.stringify(object.status) };
    };
    return await waitFor(`${kind.kind} ${ref.name} ${what}`, probe, { timeoutMs: TIMEOUT_MS, intervalMs: 100 });
  }

  async gone(kind: KindRef, name: string): Promise<void> {
    await waitFor(
      `${kind.kind} ${name} to be gone`,
      async () => {
        const object = await this.find(kind, { namespace: 'default', name });
        return object === undefined
          ? { ready: true, value: undefined }
          : { ready: false, because: JSON.stringify({ metadata: object.metadata, status: object.status }) };
      },
      { timeoutMs: TIMEOUT_MS, intervalMs: 100 },
    );
  }

  /** Absent while it does not exist, and while the API server does not answer. */
  async find<T extends KubeObject>(
    kind: KindRef<T>,
    ref: { name: string; namespace?: string },
  ): Promise<T | undefined> {
    try {
      return await this.client.get(kind, ref);
    } catch (error) {
      if (error instanceof KubeError && (error.isNotFound() || error.isTransient())) return undefined;
      throw error;
    }
  }

  /** Every domain on every host that has power, as libvirt lists them. */
  async domains(): Promise<DomainOnHost[]> {
    const lists = await Promise.all(this.lab.hosts.filter((host) => host.libvirtdRuns()).map(domainsOf));
    return lists.flat();
  }

  /** What the guest of a VM has written to its console on one host. */
  consoleOn(host: string, vm: string, namespace = 'default'): string {
    const file = join(
      this.lab.host(host).files.root,
      'var',
      'log',
      'libvirt',
      'qemu',
      `${namespace}_${vm}.console.log`,
    );
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw error;
    }
  }

  /** Waits until the guest has written a line. */
  async says(host: string, vm: string, pattern: RegExp): Promise<string> {
    return await waitFor(
      `the guest of ${vm} to write ${pattern}`,
      () => {
        const found = this.consoleOn(host, vm)
          .split('\n')
          .findLast((line) => pattern.test(line));
        return found === undefined
          ? { ready: false, because: this.consoleOn(host, vm).slice(-300) }
          : { ready: true, value: found };
      },
      { timeoutMs: TIMEOUT_MS, intervalMs: 200 },
    );
  }

  /** Waits until the guest has booted this often, and reads its counters on the hosts in the order in which it ran there. */
  async booted(vm: string, hosts: readonly string[], times: number): Promise<ConsoleCounters> {
    const read = () => readConsoleCounters([...new Set(hosts)].map((host) => this.consoleOn(host, vm)).join('\n'));
    return await waitFor(
      `the guest of ${vm} to have booted ${times} times`,
      () => {
        const seen = read();
        const boots = new Set(seen.boots).size;
        return boots >= times
          ? { ready: true, value: seen }
          : { ready: false, because: `it has booted ${boots} times` };
      },
      { timeoutMs: TIMEOUT_MS, intervalMs: 200 },
    );
  }

  /** Deletes what tests have made and waits until nothing of it is left on any host. */
  async cleanUp(): Promise<void> {
    await this.kubectl([
      'delete',
      'virtualmachines,volumes,rulegroups,migrations',
      '--all',
      '--namespace=default',
      '--wait=false',
    ]);
    const left = async () => [
      ...(await this.client.list(VirtualMachineInstance, { namespace: 'default' })).items,
      ...(await this.client.list(KINDS.Volume, { namespace: 'default' })).items,
    ];
    await waitFor(
      'all VMs, instances and Volumes to be gone',
      async () => {
        const names = (await left()).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
        return names.length === 0 ? { ready: true, value: undefined } : { ready: false, because: names.join(', ') };
      },
      { timeoutMs: TIMEOUT_MS, intervalMs: 200 },
    );
  }
}

async function domainsOf(host: LabHost): Promise<DomainOnHost[]> {
  const names = (await run('virsh', ['-c', host.libvirtUri, 'list', '--name'])).split('\n');
  return names.filter((name) => name !== '').map((domain) => ({ host: host.name, domain }));
}

/** A VM with nothing to boot: small, and off at once when it is asked to be. */
export function disklessVM(name: string, spec: object = {}): object {
  return {
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'VirtualMachine',
    metadata: { name, namespace: 'default' },
    spec: { memory: { size: '16Mi' }, machineType: 'pc', terminationGracePeriodSeconds: 0, ...spec },
  };
}

/** A VM that boots the test guest from a disk of its own. */
export function guestVM(name: string, spec: object = {}): object {
  const volumeTemplate = { datastoreName: 'shared', source: { imageName: 'drover-guest' } };
  return {
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'VirtualMachine',
    metadata: { name, namespace: 'default' },
    spec: {
      memory: { size: '128Mi' },
      disks: [{ name: 'root', volumeTemplate }],
      nics: [{ name: 'lan', portGroup: 'lan' }],
      cloudInit: { userData: `#cloud-config\nhostname: ${name}\n` },
      ...spec,
    },
  };
}

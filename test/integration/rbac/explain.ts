import { beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION, PLACEMENT_ANNOTATION } from '../../../src/api/common/names.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { explainVM } from '../../../src/cli/explain/verb.ts';
import type { KubeClient } from '../../../src/kube/index.ts';
import { instanceSpec } from '../../builders/virtual-machine-instance.ts';
import type { InstalledCluster } from './installed.ts';

const WEB = { namespace: 'asked', name: 'web' };

/** What a user of one namespace is told who has Kubernetes' role view there. */
export function explainToTenants(installed: () => InstalledCluster): void {
  describe('kubectl drover explain, asked by who may read one namespace', () => {
    let tenant: KubeClient;

    beforeAll(async () => {
      const { admin, controlPlane, as } = installed();
      await controlPlane.kubectl(['create', 'namespace', WEB.namespace]);
      await controlPlane.kubectl(['create', 'serviceaccount', 'viewer', `--namespace=${WEB.namespace}`]);
      const account = `--serviceaccount=${WEB.namespace}:viewer`;
      const binding = ['create', 'rolebinding', 'viewer', '--clusterrole=drover-view', account];
      await controlPlane.kubectl([...binding, `--namespace=${WEB.namespace}`]);
      const memory = { size: '1Gi' };
      await admin.create(VirtualMachine, {
        apiVersion: API_VERSION,
        kind: 'VirtualMachine',
        metadata: WEB,
        spec: { memory },
      });
      const annotations = { [PLACEMENT_ANNOTATION]: 'host-1: chosen; 80.0% of its memory stays free' };
      await admin.create(VirtualMachineInstance, {
        apiVersion: API_VERSION,
        kind: 'VirtualMachineInstance',
        metadata: { ...WEB, annotations },
        spec: instanceSpec(),
      });
      tenant = await as({ namespace: WEB.namespace, name: 'viewer' });
    });

    it('tells where the VM is and why, what it cannot tell, and whom to ask', async () => {
      const { admin } = installed();
      await expect.poll(() => explainVM(tenant, WEB, 'text').catch(String), { timeout: 60_000 }).toMatch(/^VirtualM/);
      const text = await explainVM(tenant, WEB, 'text');
      expect(text).toContain('VirtualMachine asked/web: Pending on host-1 (epoch 1)');
      expect(text).toContain('Why there, as it was decided:\n  host-1: chosen; 80.0% of its memory stays free');
      expect(text).toMatch(/is not shown, since it takes rights on more than this namespace \(.*forbidden/);
      expect(text).toContain('Ask an administrator to run: kubectl drover explain vm web -n asked');
      expect(text).not.toContain('Where it could');
      expect(JSON.parse(await explainVM(tenant, WEB, 'json'))).toMatchObject({
        placed: { host: 'host-1', epoch: 1 },
        hidden: expect.stringContaining('forbidden'),
        hosts: [],
      });
      expect(JSON.parse(await explainVM(admin, WEB, 'json'))).not.toHaveProperty('hidden');
    });

    it('refuses a VM of another namespace in the words of the API server', async () => {
      await expect(explainVM(tenant, { namespace: 'default', name: 'web' }, 'text')).rejects.toThrow(
        /virtualmachines.*forbidden/,
      );
    });
  });
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { writeKubeconfig } from './control-plane/kubeconfig.ts';
import { agentCredentials, operatorCredentials, refreshCredentials, SYSTEM_NAMESPACE } from './credentials.ts';
import type { LabHost } from './host/lab-host.ts';
import type { LabIdentity } from './identity.ts';
import { type ProcessRecord, type ProcessSpec, startProcess } from './processes.ts';

/** How do Drover's own programs run in a lab, where no kubelet starts them as pods? */
export const OPERATOR = 'operator';
export const AGENT = 'agent';

/** Runs on the machine itself, from the checkout's source, as the operator's service account. */
export async function startOperator(lab: LabIdentity, controlPlane: ControlPlane): Promise<ProcessRecord> {
  const credentials = operatorCredentials(lab);
  await refreshCredentials(controlPlane, credentials);
  const kubeconfig = join(lab.folder, 'operator', 'kubeconfig');
  writeKubeconfig(kubeconfig, {
    name: OPERATOR,
    server: controlPlane.server,
    authority: controlPlane.pki.authority,
    user: { tokenFile: join(credentials.path, 'token') },
  });
  return await startProcess(lab.folder, {
    ...program(lab, 'operator.ts'),
    name: OPERATOR,
    env: {
      KUBECONFIG: kubeconfig,
      POD_NAME: 'drover-operator-lab',
      POD_NAMESPACE: SYSTEM_NAMESPACE,
    },
  });
}

/** Runs in the host, as the agent's service account bound to the host's Node, with what a pod of a DaemonSet finds. */
export async function startAgent(host: LabHost, controlPlane: ControlPlane): Promise<ProcessRecord> {
  await controlPlane.ensureNode(host.name);
  await refreshCredentials(controlPlane, agentCredentials(host));
  const server = new URL(controlPlane.server);
  return await host.startProcess({
    ...program(host.lab, 'agent.ts'),
    name: AGENT,
    env: {
      KUBERNETES_SERVICE_HOST: server.hostname,
      KUBERNETES_SERVICE_PORT: server.port,
      NODE_NAME: host.name,
      POD_IP: host.address,
    },
  });
}

/** @throws when the checkout has no such program. */
function program({ checkout }: LabIdentity, file: string): Pick<ProcessSpec, 'command' | 'args'> {
  const path = join(checkout, 'src', 'bin', file);
  if (!existsSync(path)) throw new Error(`${path} does not exist: this checkout has no ${file.replace('.ts', '')}.`);
  return { command: process.execPath, args: [path] };
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { reasonOf } from './control-plane/https.ts';
import { writeKubeconfig } from './control-plane/kubeconfig.ts';
import {
  agentCredentials,
  OPERATOR_POD,
  operatorCredentials,
  refreshCredentials,
  SYSTEM_NAMESPACE,
} from './credentials.ts';
import { buildGuestImage } from './guest/build.ts';
import type { LabHost } from './host/lab-host.ts';
import type { LabIdentity } from './identity.ts';
import { probeKvm } from './kvm-probe.ts';
import { KEEP_RUNNING, type ProcessRecord, type ProcessSpec, startProcess } from './processes.ts';
import { waitUntilReady } from './ready.ts';
import type { Seen } from './wait.ts';

/** How do Drover's own programs run in a lab, where no kubelet starts them as pods? */
export const OPERATOR = 'operator';
export const AGENT = 'agent';

/** Of the agent's health and metrics, in the host. */
export const AGENT_HTTP_PORT = 9178;
const READY_TIMEOUT_MS = 60_000;

/**
 * Runs on the machine itself, from the checkout's source, as the operator's service account. Returns once it is ready:
 * it knows the cluster, and the elected one of several has yet to be found out.
 */
export async function startOperator(lab: LabIdentity, controlPlane: ControlPlane): Promise<ProcessRecord> {
  const credentials = operatorCredentials(lab);
  await controlPlane.ensurePod({
    namespace: SYSTEM_NAMESPACE,
    name: OPERATOR_POD,
    serviceAccountName: credentials.account.name,
  });
  await refreshCredentials(controlPlane, credentials);
  const kubeconfig = join(lab.folder, 'operator', 'kubeconfig');
  writeKubeconfig(kubeconfig, {
    name: OPERATOR,
    server: controlPlane.server,
    authority: controlPlane.pki.authority,
    user: { tokenFile: join(credentials.path, 'token') },
  });
  const port = lab.ports.operator;
  const record = await startProcess(lab.folder, {
    ...program(lab, 'operator.ts', ['--kubeconfig', kubeconfig, '--http-port', String(port)]),
    name: OPERATOR,
  });
  await waitUntilReady(record, () => answersOk(`http://127.0.0.1:${port}/readyz`), { timeoutMs: READY_TIMEOUT_MS });
  return record;
}

/** Runs in the host, as the agent's service account bound to the host's Node, with what a pod of a DaemonSet finds. */
export async function startAgent(host: LabHost, controlPlane: ControlPlane): Promise<ProcessRecord> {
  await controlPlane.ensureNode(host.name);
  await refreshCredentials(controlPlane, agentCredentials(host));
  const server = new URL(controlPlane.server);
  const { domainType } = host.hasOwnCpu()
    ? ({ domainType: 'qemu' } as const)
    : await probeKvm({ disk: (await buildGuestImage()).disk });
  return await host.startProcess({
    ...program(host.lab, 'agent.ts', [
      ...['--virtualization', domainType],
      ...['--http-host', host.address, '--http-port', String(AGENT_HTTP_PORT)],
    ]),
    name: AGENT,
    env: {
      KUBERNETES_SERVICE_HOST: server.hostname,
      KUBERNETES_SERVICE_PORT: server.port,
      NODE_NAME: host.name,
    },
  });
}

/** Waits until the agent knows its intents. A host that is cut off never gets there. */
export async function agentIsReady(host: LabHost, record: ProcessRecord): Promise<void> {
  const url = `http://${host.address}:${AGENT_HTTP_PORT}/readyz`;
  await waitUntilReady(record, () => answersOk(url), { timeoutMs: READY_TIMEOUT_MS });
}

/** @throws when the checkout has no such program. */
function program(
  { checkout }: LabIdentity,
  file: string,
  args: readonly string[],
): Pick<ProcessSpec, 'command' | 'args'> {
  const path = join(checkout, 'src', 'bin', file);
  if (!existsSync(path)) throw new Error(`${path} does not exist: this checkout has no ${file.replace('.ts', '')}.`);
  return { command: KEEP_RUNNING, args: [process.execPath, path, ...args] };
}

async function answersOk(url: string): Promise<Seen<true>> {
  try {
    const answer = await request(url, { headersTimeout: 2_000 });
    const text = await answer.body.text();
    if (answer.statusCode === 200) return { ready: true, value: true };
    return { ready: false, because: `${url} answers ${answer.statusCode} ${text.trim()}` };
  } catch (error) {
    return { ready: false, because: `${url}: ${reasonOf(error)}` };
  }
}

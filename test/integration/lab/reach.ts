import { expect } from 'vitest';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { waitFor } from '../../lab/wait.ts';

/** Does a packet that a host sends to an address come to somebody? */
export async function reaches(host: LabHost, address: string): Promise<void> {
  await waitFor(
    `${host.name} to reach ${address}`,
    async () => {
      const answer = await knock(host, address);
      return answer.includes('refused') ? { ready: true, value: undefined } : { ready: false, because: answer };
    },
    { timeoutMs: 10_000 },
  );
}

export async function reachesNot(host: LabHost, address: string): Promise<void> {
  expect(await knock(host, address)).not.toContain('refused');
}

/** Nobody listens on the discard port: a refusal is the answer of a host that is there. */
async function knock(host: LabHost, address: string): Promise<string> {
  return await host.run('timeout', ['1', 'bash', '-c', `{ : </dev/tcp/${address}/9; } 2>&1 || true`]).catch(String);
}

import type { AskAgent } from '../../../src/controllers/ha/ask-agent.ts';
import type { DirectAnswer } from '../../../src/core/ha/host-step.ts';
import type { Process } from '../engine/process.ts';
import type { World } from './world.ts';

/** A handshake within a cluster, and how long nobody is waited for, in milliseconds. */
const HANDSHAKE_MS = 5;
const TIMEOUT_MS = 1_000;

/** Asks agents as a process of this operator does: a TLS handshake, by the certificate of which the agent proves who it is. */
export function askAgentOf(world: World, operator: string, process: Process): AskAgent {
  return async ({ metadata, status }) => {
    const known = status?.usageCertificate;
    if (status?.address === undefined || status.usagePort === undefined || known === undefined) return undefined;
    await process.spend(HANDSHAKE_MS);
    const { answer, afterMs } = answerNow(world, operator, metadata.name, known);
    await process.spend(afterMs);
    return answer;
  };
}

function answerNow(
  world: World,
  operator: string,
  name: string,
  known: string,
): { readonly answer: DirectAnswer; readonly afterMs: number } {
  const host = world.host(name);
  if (!host.isExecuting || !world.network.reaches(operator, name)) return { answer: 'Nobody', afterMs: TIMEOUT_MS };
  // Its kernel refuses the connection where nobody listens, and takes it for an agent that stands still.
  if (!host.listens) return { answer: 'Host', afterMs: 0 };
  const shown = host.answeringCertificate;
  if (shown === undefined) return { answer: 'Host', afterMs: TIMEOUT_MS };
  return { answer: shown === known ? 'Agent' : 'NewAgent', afterMs: HANDSHAKE_MS };
}

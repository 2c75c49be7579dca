import { X509Certificate } from 'node:crypto';
import type { Host } from '../../api/host.ts';
import type { DirectAnswer } from '../../core/ha/host-step.ts';
import { whoAnswers } from '../../runtime/who-answers.ts';

/** Asks a host's agent. Undefined: the host has not told where it is. */
export type AskAgent = (
  host: Pick<Host, 'metadata' | 'status'>,
  signal: AbortSignal,
) => Promise<DirectAnswer | undefined>;

/** An agent that lives answers a handshake within milliseconds; it is asked several times before anything is done. */
const TIMEOUT_MS = 1_000;

/**
 * Asks the agent of a host directly whether it lives: a TLS handshake, in which whoever answers proves to have the agent's key. No
 * request is made, so that it does not matter whether the agent knows this operator yet.
 * @returns undefined: the host has not told where.
 */
export async function askAgent(
  { metadata, status }: Pick<Host, 'metadata' | 'status'>,
  signal: AbortSignal,
): Promise<DirectAnswer | undefined> {
  const { address, usagePort, usageCertificate } = status ?? {};
  if (address === undefined || usagePort === undefined || usageCertificate === undefined) return undefined;
  const answer = await whoAnswers(address, usagePort, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
  if (typeof answer === 'string') return answer;
  if (answer.raw.equals(new X509Certificate(usageCertificate).raw)) return 'Agent';
  // Else another machine has the address by now.
  return isOf(answer, metadata.name) ? 'NewAgent' : 'Nobody';
}

function isOf({ subject }: X509Certificate, host: string): boolean {
  return subject.split('\n').includes(`CN=${host}`);
}

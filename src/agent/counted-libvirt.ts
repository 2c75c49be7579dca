import { Counter } from 'prom-client';
import {
  type CallName,
  type CallParameters,
  isLibvirtError,
  isTransportError,
  type Libvirt,
  type ReplyOf,
} from '../libvirt/index.ts';
import type { Metrics } from '../runtime/index.ts';

/** The same client, whose calls are counted by procedure and outcome. */
export function countedLibvirt(libvirt: Libvirt, { registry }: Metrics): Libvirt {
  const calls = new Counter({
    name: 'drover_libvirt_calls_total',
    help: 'Calls of libvirt by procedure; outcome is ok, the name of the error code, or why no answer came.',
    labelNames: ['procedure', 'outcome'],
    registers: [registry],
  });
  return {
    get connected() {
      return libvirt.connected;
    },
    async call<N extends CallName>(name: N, ...parameters: CallParameters<N>): Promise<ReplyOf<N>> {
      try {
        const reply = await libvirt.call(name, ...parameters);
        calls.inc({ procedure: name, outcome: 'ok' });
        return reply;
      } catch (error) {
        calls.inc({ procedure: name, outcome: outcomeOf(error) });
        throw error;
      }
    },
    stream: (name, ...parameters) => libvirt.stream(name, ...parameters),
    events: libvirt.events,
    on: (event, listener) => libvirt.on(event, listener),
    close: () => libvirt.close(),
  };
}

function outcomeOf(error: unknown): string {
  if (isLibvirtError(error)) return error.codeName;
  return isTransportError(error) ? error.reason : 'failed';
}

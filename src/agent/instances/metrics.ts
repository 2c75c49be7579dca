import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../runtime/index.ts';
import type { Memories } from './memory.ts';

export interface InstanceMetrics {
  /** @param outcome `started`, or the reason of the refusal. */
  readonly onStart: (outcome: string, seconds: number) => void;
  /** @param step a step that changes a domain: Start, Shutdown, Destroy, ... */
  readonly onStep: (step: string) => void;
  /** @param action what is done about a guest that has failed: Reboot, Restart or None. */
  readonly onGuestFault: (reason: string, action: string) => void;
}

/** From a domain with nothing to boot to one whose host is busy with a hundred others. */
const START_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

export function instanceMetrics({ registry }: Metrics, memories: Memories): InstanceMetrics {
  const registers = [registry];
  new Gauge({
    name: 'drover_agent_instances',
    help: 'VirtualMachineInstances of this host by phase.',
    labelNames: ['phase'],
    registers,
    collect() {
      this.reset();
      for (const [phase, count] of memories.phases()) this.set({ phase }, count);
    },
  });
  const starts = new Counter({
    name: 'drover_agent_starts_total',
    help: 'Starts of domains by outcome: started, or the reason of the refusal.',
    labelNames: ['outcome'],
    registers,
  });
  const startSeconds = new Histogram({
    name: 'drover_agent_start_seconds',
    help: 'From the decision to start a domain until libvirt says that it runs.',
    buckets: START_SECONDS,
    registers,
  });
  const steps = new Counter({
    name: 'drover_agent_steps_total',
    help: 'Steps taken to bring a domain to what its intent says.',
    labelNames: ['step'],
    registers,
  });
  const guestFaults = new Counter({
    name: 'drover_agent_guest_faults_total',
    help: 'Guests that have failed while their host was well, by how that was seen and what is done about it.',
    labelNames: ['reason', 'action'],
    registers,
  });
  return {
    onGuestFault: (reason, action) => guestFaults.inc({ reason, action }),
    onStart(outcome, seconds) {
      starts.inc({ outcome });
      if (outcome === 'started') startSeconds.observe(seconds);
    },
    onStep: (step) => steps.inc({ step }),
  };
}

import { join } from 'node:path';
import { z } from 'zod';
import { findConsole, readConsole } from './console.ts';
import type { Lab } from './lab.ts';
import type { Progress, Report } from './report.ts';
import { type Seen, waitFor } from './wait.ts';

/** What does a newcomer see first? Two VMs that boot, their consoles, and what to try next. */
const RUNNING_TIMEOUT_MS = 180_000;
const CONSOLE_TIMEOUT_MS = 120_000;

const machineList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      status: z
        .object({
          phase: z.string().optional(),
          conditions: z.array(z.object({ type: z.string(), message: z.string() })).default([]),
        })
        .optional(),
    }),
  ),
});

type Machine = z.infer<typeof machineList>['items'][number];

export async function showExample(lab: Lab, report: Report): Promise<void> {
  const file = join(lab.identity.checkout, 'examples', 'first-vm.yaml');
  await lab.kubectl(['apply', '-f', file]);
  const list = async () =>
    machineList.parse(JSON.parse(await lab.kubectl(['get', '-f', file, '--output', 'json']))).items;
  await report.step('example VMs', (progress) =>
    waitFor('the example VMs to run', async () => allRun(await list()), {
      timeoutMs: RUNNING_TIMEOUT_MS,
      intervalMs: 500,
      progressEveryMs: 0,
      onProgress: progress,
    }),
  );
  const machines = await list();
  const guests = await report.step('their guests', (progress) =>
    Promise.all(machines.map((machine) => firstWords(lab, machine, progress))),
  );
  report.say(`\n$ kubectl get vm -o wide\n${(await lab.kubectl(['get', 'vm', '-o', 'wide'])).trimEnd()}\n`);
  for (const { machine, line } of guests) report.say(`The console of ${machine.metadata.name}: ${line}`);
  report.say(WHAT_NEXT);
}

function allRun(wanted: readonly Machine[]): Seen<true> {
  const waiting = wanted.filter((machine) => machine.status?.phase !== 'Running');
  if (waiting.length === 0) return { ready: true, value: true };
  return { ready: false, because: waiting.map(describeMachine).join('; ') };
}

function describeMachine({ metadata, status }: Machine): string {
  const why = status?.conditions.find((condition) => condition.type === 'Ready')?.message;
  return `${metadata.name} is ${status?.phase ?? 'not seen yet'}${why ? ` (${why})` : ''}`;
}

/** The line by which a guest proves that it has booted: it counts, on its disk and on its console. */
async function firstWords(lab: Lab, machine: Machine, progress: Progress): Promise<{ machine: Machine; line: string }> {
  const { namespace, name } = machine.metadata;
  const line = await waitFor(
    `the guest of VM ${namespace}/${name} to count on its console`,
    async () => {
      const console = await readConsole(await findConsole(lab, namespace, name));
      const counting = console.split('\n').findLast((text) => text.includes(' counter='));
      return counting === undefined
        ? { ready: false, because: `${name} says: ${console.trimEnd().split('\n').at(-1) ?? 'nothing'}` }
        : { ready: true, value: counting.trim() };
    },
    { timeoutMs: CONSOLE_TIMEOUT_MS, intervalMs: 500, progressEveryMs: 0, onProgress: progress },
  );
  return { machine, line };
}

const WHAT_NEXT = `
What to try next:
  ./lab kubectl get vm,vmi,dh,vol        what there is; or, for this shell:
  export KUBECONFIG=$PWD/.lab/kubeconfig PATH=$PWD/.lab/bin:$PATH
  ./lab kubectl drover explain vm first  why the VM is where it is, and where else it could be
  ./lab console first                    watch its guest count; Ctrl+C ends it
  ./lab kubectl delete vm first          shut it down and remove its disk
  ./lab restart-agent host-1             no VM notices
  ./lab kill-host host-1                 a power failure; afterwards: ./lab power-on host-1
  ./lab --help                           every verb
  make lab-down                          stop everything and leave nothing behind`;

import { setTimeout as sleep } from 'node:timers/promises';
import { hostIndexesOf } from '../host/host-files.ts';
import { LabHost } from '../host/lab-host.ts';
import { openLab } from '../lab.ts';
import { findIdentity } from '../slots.ts';
import { bmcLies } from './bmcs.ts';
import { PowerBoard, type SwitchedMachine } from './power-board.ts';

/**
 * Switches the power of a lab's hosts for their BMCs: `lab-power-board.ts CHECKOUT INSTANCE SOCKET LibvirtdAndAgent|Libvirtd`.
 * It waits for no lock of the lab: a host is fenced while the lab's own verbs are at work.
 */
const AGENT_RETRY_MS = 1_000;

const [checkout, instance, socket, poweredOn] = process.argv.slice(2);
if (checkout === undefined || instance === undefined || socket === undefined) {
  throw new Error('Usage: lab-power-board.ts CHECKOUT INSTANCE SOCKET LibvirtdAndAgent|Libvirtd');
}
const lab = findIdentity(checkout, instance);
if (!lab) throw new Error(`The lab "${instance}" of ${checkout} is not up.`);

const board = new PowerBoard(machineNamed, (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`));
await board.listen(socket);

function machineNamed(name: string): SwitchedMachine | undefined {
  const index = lab ? hostIndexesOf(lab).find((each) => `host-${each}` === name) : undefined;
  if (lab === undefined || index === undefined) return undefined;
  const host = new LabHost(lab, index);
  return {
    hasPower: () => host.hasPower() && !bmcLies(lab, index),
    switchOff: async () => {
      if (!bmcLies(lab, index)) await host.kill();
    },
    async switchOn() {
      await host.powerOn();
      if (poweredOn === 'LibvirtdAndAgent') await startAgentOf(host);
    },
  };
}

/** As the kubelet does, which comes up with its host: again and again, since the API server may be away. */
async function startAgentOf(host: LabHost): Promise<void> {
  while (host.hasPower()) {
    try {
      const opened = await openLab(host.lab.checkout, host.lab.instance);
      await opened.startAgent(host.name).finally(() => opened.close());
      return;
    } catch (error) {
      process.stdout.write(`${host.name}: its agent does not start yet: ${String(error)}\n`);
      await sleep(AGENT_RETRY_MS);
    }
  }
}

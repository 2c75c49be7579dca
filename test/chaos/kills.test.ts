import { afterAll, beforeAll, expect, it } from 'vitest';
import { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { disklessVM, Story } from '../e2e/story.ts';
import { insist, pick, SEED } from './seeded.ts';

const ROUNDS = 30;
const VMS = 20;

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

const FAULTS = {
  agent: async () => await story.lab.restartAgent(pick(story.lab.hosts).name, 'killed'),
  operator: async () => await story.lab.restartOperator('killed'),
  libvirtd: async () => await story.lab.restartLibvirtd(pick(story.lab.hosts).name, 'killed'),
  apiServer: async () => {
    await story.lab.controlPlane.apiServer.kill();
    await story.lab.controlPlane.apiServer.start();
  },
} as const;

/** Each domain of this test on more than one host: two copies of one VM. */
async function doubled(): Promise<string[]> {
  const hosts = Map.groupBy(await story.domains(), ({ domain }) => domain);
  return [...hosts].flatMap(([domain, copies]) =>
    copies.length > 1 ? [`${domain}: ${copies.map(({ host }) => host)}`] : [],
  );
}

it(
  `loses and doubles no VM while ${VMS} are made and deleted and ${ROUNDS} times something is killed (seed ${SEED})`,
  async () => {
    const wanted = new Set<string>();
    const everDoubled: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `chaos-${round % VMS}`;
      const makes = !wanted.has(name);
      const change = makes
        ? insist(`creation of ${name}`, () => story.apply(disklessVM(name)))
        : insist(`deletion of ${name}`, () =>
            story.kubectl(['delete', 'vm', name, '--ignore-not-found', '--wait=false']),
          );
      if (makes) wanted.add(name);
      else wanted.delete(name);
      await FAULTS[pick(['agent', 'operator', 'libvirtd', 'apiServer'] as const)]();
      await change;
      everDoubled.push(...(await doubled()));
    }
    for (let index = 0; index < VMS; index += 1) {
      if (wanted.has(`chaos-${index}`)) continue;
      wanted.add(`chaos-${index}`);
      await insist(`creation of chaos-${index}`, async () => {
        // One that was deleted a moment ago may still be going.
        if (
          (await story.find(VirtualMachineInstance, { namespace: 'default', name: `chaos-${index}` })) !== undefined
        ) {
          throw new Error('the instance of its forerunner is still there');
        }
        await story.apply(disklessVM(`chaos-${index}`));
      });
    }
    await Promise.all([...wanted].map((name) => story.running(name)));
    everDoubled.push(...(await doubled()));
    expect(everDoubled).toEqual([]);
    const domains = (await story.domains())
      .map(({ domain }) => domain)
      .filter((domain) => domain.startsWith('default_chaos-'));
    expect(domains.toSorted()).toEqual([...wanted].map((name) => `default_${name}`).toSorted());
    for (const name of wanted) await story.kubectl(['delete', 'vm', name, '--wait=false']);
    for (const name of wanted) {
      await story.gone(VirtualMachine, name);
      await story.gone(VirtualMachineInstance, name);
    }
    expect((await story.domains()).filter(({ domain }) => domain.startsWith('default_chaos-'))).toEqual([]);
  },
  20 * 60_000,
);

import { pino } from 'pino';
import { expect, it } from 'vitest';
import { DomainTable } from '../../../../src/agent/instances/domain-table.ts';
import { Leftovers } from '../../../../src/agent/instances/leftovers.ts';
import { KubeError } from '../../../../src/kube/index.ts';
import { DomainState, RunningReason } from '../../../../src/libvirt/index.ts';
import { systemClock } from '../../../../src/runtime/index.ts';

const UUID = '4f1c2d3e-5b6a-4789-8abc-0123456789ab';
const log = pino({ enabled: false });
const nothing = () => Promise.reject(new Error('nobody asks libvirt here'));
const ENTRY = {
  uuid: UUID,
  name: 'default_web',
  id: 7,
  state: DomainState.RUNNING,
  reason: RunningReason.BOOTED,
  guestAgentConnected: false,
  identity: {
    namespace: 'default',
    name: 'web',
    virtualMachineUID: UUID,
    epoch: 1,
    restartedAt: '',
    startedAt: '2030-01-01T00:00:00Z',
    fields: {},
  },
};

/** Leftovers of a host whose API server has no intent, and what happens while it is asked. */
async function settled(meanwhile: (table: DomainTable) => void): Promise<readonly unknown[]> {
  const table = new DomainTable({ call: nothing }, log, () => undefined);
  table.put(ENTRY);
  const client = {
    get: () => {
      meanwhile(table);
      return Promise.reject(new KubeError({ code: 404, reason: 'NotFound', message: 'there is none' }));
    },
  };
  const records = { saveEpoch: () => Promise.resolve() };
  const deps = { client, host: 'h1', libvirt: { call: nothing }, clock: systemClock };
  const leftovers = new Leftovers(deps, table, records, () => undefined);
  await leftovers.settle('default/web', ENTRY, { log, signal: new AbortController().signal });
  return leftovers.strays().map(({ virtualMachine }) => virtualMachine);
}

it('is reported as long as it runs', async () => {
  expect(await settled(() => undefined)).toEqual(['default/web']);
});

it('is not reported for ever when it stops while the API server is asked for its intent', async () => {
  expect(await settled((table) => table.remove(UUID))).toEqual([]);
});

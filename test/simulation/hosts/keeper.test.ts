import { expect, it } from 'vitest';
import { LeaseKeeper } from '../../../src/agent/storage-lease/keeper.ts';
import { Process } from '../engine/process.ts';
import { Timeline } from '../engine/timeline.ts';
import { SimulatedDatastore } from '../world/datastore.ts';
import { logOf } from '../world/silent.ts';
import { Hypervisor } from './hypervisor.ts';
import { leaseMachine, leaseNotes } from './lease.ts';
import { SimulatedWatchdog } from './watchdog.ts';

/** What a keeper leaves behind that was killed. */
const PROMISE = {
  bootID: 'boot-1',
  selfFenceMs: 14_000,
  watchdogMs: 8_000,
  datastores: [{ root: '/shared', identity: 'id-of-shared' }],
  heldUntilMs: 10_000,
  lapsed: false,
  over: false,
  remains: { killed: [], needsReset: false },
};

/** A keeper that is told to end so long after it began, on a machine whose watchdog takes a while to open. @param left by the one before it */
async function endedAfter(endMs: number, left: typeof PROMISE | undefined) {
  const timeline = new Timeline({ kind: 'fixed' });
  const process = new Process('lease keeper', timeline);
  const datastore = new SimulatedDatastore({ name: 'shared', path: '/shared', shared: true, locks: true });
  const folder = leaseNotes();
  folder.writeWish({ datastores: [{ root: datastore.path, identity: datastore.id }] });
  if (left !== undefined) folder.writeState(left);
  let resets = 0;
  const watchdog = new SimulatedWatchdog(timeline, () => {
    resets += 1;
  });
  const disk = new Map<string, string>();
  const common = { host: 'host-1', timeline, datastores: [datastore] };
  const hypervisor = new Hypervisor({
    ...common,
    wallClock: { aheadMs: 0 },
    startFaults: { delayMs: 0 },
    kernel: process,
    disk,
    onChange: () => undefined,
  });
  const machine = leaseMachine({ ...common, process, watchdog, hypervisor });
  const openWatchdog = async (path: string) => {
    const opened = await machine.openWatchdog(path);
    await process.spend(700);
    return opened;
  };
  const keeper = new LeaseKeeper({
    host: 'host-1',
    bootID: 'boot-1',
    folder,
    machine: { ...machine, openWatchdog },
    selfFenceMs: 14_000,
    watchdog: '/dev/watchdog0',
    clock: process.clock,
    log: logOf(process, () => timeline.nowMs),
  });
  const ending = new AbortController();
  let hasEnded = false;
  timeline.after(endMs, () => ending.abort());
  const run = keeper.run(ending.signal).then(() => {
    hasEnded = true;
    // As its program does then.
    process.kill();
  });
  await timeline.run(endMs + 30_000, () => undefined);
  await Promise.race([run, null]);
  return { hasEnded, resets, promisedMs: folder.readState('boot-1')?.watchdogMs ?? 0 };
}

it.each([
  ['that is the first of its boot', undefined],
  ['that follows one that was killed', PROMISE],
])('a keeper %s leaves neither a promise nor a watchdog that runs, whenever it is told to end', async (_, left) => {
  const seen = [];
  for (let endMs = 0; endMs < 3_000; endMs += 25) {
    const outcome = await endedAfter(endMs, left);
    if (!outcome.hasEnded || outcome.resets > 0 || outcome.promisedMs > 0) seen.push({ endMs, ...outcome });
  }
  expect(seen).toEqual([]);
});

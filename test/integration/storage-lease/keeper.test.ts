import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LeaseFolder } from '../../../src/agent/storage-lease/folder.ts';
import { mayStart } from '../../../src/agent/storage-lease/start-gate.ts';
import { nextTerm } from '../../../src/core/ha/term.ts';
import { domainName } from '../../../src/domain/index.ts';
import { bootTimeMs, DatastoreFiles, readBootId } from '../../../src/host/index.ts';
import { parseLease } from '../../../src/host/lease-file.ts';
import { LabWatchdog } from '../../lab/host/watchdog.ts';
import { waitFor } from '../../lab/wait.ts';
import { freezableFileSystem, scratchDirectory } from '../host/scratch.ts';

const KEEPER = join(import.meta.dirname, '../../../src/bin/lease-keeper.ts');
const SELF_FENCE_SECONDS = 8;
const WATCHDOG_MS = 4_000;
/** Time for programs to start while other suites keep the machine busy. */
const SOON = { timeoutMs: 60_000 };

/** A host with a shared datastore and a watchdog, whose keeper is a process of its own. A reset ends whatever runs on it. */
async function host({ watchdog: hasWatchdog = true } = {}) {
  const disk = freezableFileSystem();
  const directory = scratchDirectory();
  const domainRunDirectory = join(directory, 'qemu');
  mkdirSync(domainRunDirectory);
  const files = new DatastoreFiles();
  onTestFinished(() => files.close());
  const { identity = '' } = await files.call('probe', { root: disk.root, create: true });
  const bootID = await readBootId();
  const folder = new LeaseFolder(join(directory, 'run', 'lease'));
  folder.writeWish({ datastores: [{ root: disk.root, identity }] });
  // Processes of its own: guests of others on this machine are none of its. They end with their first.
  const first = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', 'sleep', 'infinity'], {
    stdio: 'ignore',
  });
  const reset = () => void first.kill('SIGKILL');
  onTestFinished(reset);
  const firstPid = await childOf(first);
  const watchdog = new LabWatchdog({ socketPath: join(directory, 'watchdog'), timeoutMs: WATCHDOG_MS, reset });
  await watchdog.listen();
  onTestFinished(() => watchdog.close());

  const start = (command: string, args: readonly string[]) => {
    const enter = ['--target', `${firstPid}`, '--pid', '--mount', '--', command, ...args];
    const child = spawn('nsenter', enter, { stdio: ['ignore', 'ignore', 'inherit'] });
    // It stands still with the process that it waits for.
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const startKeeper = () =>
    start(process.execPath, [
      ...[KEEPER, '--node-name', 'host-1', '--run-dir', join(directory, 'run'), '--domain-run-dir', domainRunDirectory],
      ...['--self-fence', `${SELF_FENCE_SECONDS}`, '--log-level', 'fatal'],
      ...(hasWatchdog ? ['--watchdog', join(directory, 'watchdog')] : []),
    ]);
  /** A real QEMU, and libvirt's record of it as far as it is read. */
  const startGuest = (name: string, metadata: string, { cache = 'none', more = [] as readonly string[] } = {}) => {
    const uuid = randomUUID();
    const domain = `<domain type='kvm' id='1'><name>${name}</name><uuid>${uuid}</uuid><metadata>${metadata}</metadata><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='${cache}'/></disk></devices></domain>`;
    writeFileSync(
      join(domainRunDirectory, `${name}.xml`),
      `<domstatus state='running' pid='1'>\n${domain}\n</domstatus>\n`,
    );
    const args = ['-name', `guest=${name},debug-threads=on`, '-uuid', uuid, '-machine', 'none', '-nodefaults'];
    return start('qemu-system-x86_64', [...args, '-display', 'none', '-S', ...more]);
  };
  const record = () => parseLease(readFileSync(join(disk.root, 'leases', 'host-1')));
  const isHeldAs = (term: string) =>
    waitFor(
      `the lease to be held with its watchdog as ${term}`,
      () => {
        const seen = folder.readState(bootID);
        const isThere = (seen?.heldUntilMs ?? 0) > bootTimeMs() && (seen?.watchdogMs ?? 0) > 0;
        return isThere && seen?.bootID === term && record()?.watchdogMs === WATCHDOG_MS
          ? { ready: true, value: seen }
          : { ready: false, because: JSON.stringify(seen ?? 'no state') };
      },
      SOON,
    );
  const isHeld = () => isHeldAs(bootID);
  return { ...disk, bootID, folder, watchdog, startKeeper, startGuest, record, isHeld, isHeldAs };
}

const OURS = (name: string, bootID = '') =>
  `<drover:vm xmlns:drover='https://drover.dev/domain/v1' namespace='default' name='${name}' uid='${randomUUID()}' epoch='1' restartedAt='' startedAt='2026-01-01T00:00:00Z' bootID='${bootID}'/>`;
const lives = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;
const toEnd = (what: string, child: ChildProcess) =>
  waitFor(what, () => (lives(child) ? { ready: false, because: 'it runs' } : { ready: true, value: undefined }), SOON);
/** The process that another has started, which is the one of interest. */
const childOf = ({ pid }: ChildProcess) =>
  waitFor(
    'a process to start',
    () => {
      const child = Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10);
      return child > 0 ? { ready: true, value: child } : { ready: false, because: 'not yet' };
    },
    SOON,
  );
const signal = async (child: ChildProcess, name: NodeJS.Signals) => process.kill(await childOf(child), name);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the lease of a host', () => {
  it('is held and renewed, and guests may start under it', async () => {
    const { startKeeper, isHeld, record, folder, bootID, watchdog } = await host();
    expect(mayStart(folder, bootID, bootTimeMs()).ok).toBe(true);
    startKeeper();
    await isHeld();
    const first = record();
    expect(first).toMatchObject({ host: 'host-1', bootID, selfFenceMs: 8_000, watchdogMs: WATCHDOG_MS });
    await waitFor(
      'the next renewal',
      () =>
        (record()?.sequence ?? 0) > (first?.sequence ?? 0)
          ? { ready: true, value: 0 }
          : { ready: false, because: 'none yet' },
      SOON,
    );
    expect([mayStart(folder, bootID, bootTimeMs()).ok, watchdog.resets]).toEqual([true, 0]);
  });

  it('says whether the agent of the host reaches the API server, as long as that is news', async () => {
    const { startKeeper, isHeld, record, folder } = await host();
    startKeeper();
    await isHeld();
    expect(record()?.reachesApi).toBeUndefined();
    folder.writeContact(bootTimeMs());
    const says = (expected: true | undefined) =>
      waitFor(
        `its record to say ${expected ?? 'nothing'}`,
        () =>
          readable(record) && record()?.reachesApi === expected
            ? { ready: true, value: 0 }
            : { ready: false, because: JSON.stringify(record()?.reachesApi) },
        SOON,
      );
    await says(true);
    await says(undefined);
  });

  it('that is given up lapses for this term, in which nothing starts any more; the next one follows, and the host is spared the reset', async () => {
    const { startKeeper, isHeld, record, folder, bootID, watchdog } = await host();
    startKeeper();
    await isHeld();
    folder.yieldLease(bootID);
    // At once, also before the keeper has seen it.
    expect(mayStart(folder, bootID, bootTimeMs())).toMatchObject({
      ok: false,
      message: expect.stringContaining('was isolated'),
    });
    const next = nextTerm(bootID);
    await waitFor(
      'the lease to be held for the next term',
      () =>
        record()?.bootID === next && folder.readState(bootID)?.bootID === next
          ? { ready: true, value: 0 }
          : { ready: false, because: `it is held for ${record()?.bootID}` },
      SOON,
    );
    expect([mayStart(folder, bootID, bootTimeMs()).ok, mayStart(folder, next, bootTimeMs()).ok]).toEqual([false, true]);
    // What was given up once is not given up again.
    await pause(2 * WATCHDOG_MS);
    expect([record()?.bootID, watchdog.isArmed, watchdog.resets]).toEqual([next, true, 0]);
  });

  it('that another boot has given up is held in this one', async () => {
    const { startKeeper, isHeld, folder, bootID } = await host();
    folder.yieldLease('another-boot');
    startKeeper();
    await isHeld();
    expect(mayStart(folder, bootID, bootTimeMs()).ok).toBe(true);
  });

  it('speaks of no watchdog where there is none, and ends no guest when it is not renewed', async () => {
    const { startKeeper, startGuest, record, freeze, folder, bootID } = await host({ watchdog: false });
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    startKeeper();
    await waitFor(
      'a record',
      () => (folder && readable(record) ? { ready: true, value: 0 } : { ready: false, because: 'none' }),
      SOON,
    );
    expect(record()?.watchdogMs).toBe(0);
    freeze();
    await pause((SELF_FENCE_SECONDS + 3) * 1_000);
    expect([lives(guest), mayStart(folder, bootID, bootTimeMs()).ok]).toEqual([true, true]);
  });

  it("that cannot be renewed ends Drover's guests and no others, says so, and spares the host the reset", async () => {
    const { startKeeper, startGuest, isHeld, freeze, folder, bootID, watchdog } = await host();
    const own = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    const foreign = startGuest('their_own', '');
    startKeeper();
    await isHeld();
    const frozenAt = bootTimeMs();
    freeze();
    await toEnd('the guest to be killed', own);
    // Not before the lease had lapsed, and before others may run it: 8 s + 2 x (4 s + 1 s), and 2 %.
    expect(bootTimeMs() - frozenAt).toBeGreaterThan(SELF_FENCE_SECONDS * 1_000 - 2_500);
    expect(bootTimeMs() - frozenAt).toBeLessThan(18_360);
    await pause(2 * WATCHDOG_MS);
    expect([lives(foreign), watchdog.isArmed, watchdog.resets]).toEqual([true, true, 0]);
    expect(folder.readState(bootID)).toMatchObject({ bootID, lapsed: true, over: true });
    expect(mayStart(folder, bootID, bootTimeMs())).toMatchObject({
      ok: false,
      message: expect.stringContaining('take its lease'),
    });
  });

  it('begins anew when the storage is back, as another term: what was started for the one before is ended', async () => {
    const { startKeeper, startGuest, isHeld, isHeldAs, freeze, thaw, folder, bootID, watchdog, record } = await host();
    const [vm, next] = [domainName({ namespace: 'default', name: 'web' }), `${bootID}.2`];
    const first = startGuest(vm, OURS('web', bootID));
    const keeper = startKeeper();
    await isHeld();
    freeze();
    await toEnd('the guest to be killed', first);
    thaw();
    await isHeldAs(next);
    expect(record()).toMatchObject({ bootID: next, watchdogMs: WATCHDOG_MS });
    expect(mayStart(folder, next, bootTimeMs()).ok).toBe(true);
    expect(mayStart(folder, bootID, bootTimeMs())).toMatchObject({ ok: false, message: expect.stringContaining(next) });
    const of = (name: string) => domainName({ namespace: 'default', name });
    // A start that was on its way all the time; one of this term; one that was started here once, went, and has come back.
    const late = startGuest(of('late'), OURS('late', bootID));
    const timely = startGuest(of('timely'), OURS('timely', next));
    const arrived = startGuest(of('arrived'), OURS('arrived', bootID), { more: ['-incoming', 'defer'] });
    await toEnd('the late guest to be killed', late);
    await pause(WATCHDOG_MS + 1_000);
    expect([lives(timely), lives(arrived), watchdog.resets]).toEqual([true, true, 0]);
    // Whoever comes after it in this boot goes on in this term.
    await signal(keeper, 'SIGTERM');
    await toEnd('the keeper to end', keeper);
    expect(folder.readState(bootID)).toMatchObject({ bootID: next, watchdogMs: 0 });
    startKeeper();
    await isHeldAs(next);
    expect([lives(timely), lives(arrived), watchdog.resets]).toEqual([true, true, 0]);
  });

  it('resets the host for what is left in its page cache, also when another keeper has killed the guest', async () => {
    const { startKeeper, startGuest, isHeld, freeze, watchdog } = await host();
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'), { cache: 'writeback' });
    const first = startKeeper();
    await isHeld();
    freeze();
    await toEnd('the guest to be killed', guest);
    const second = startKeeper();
    await signal(first, 'SIGKILL');
    await toEnd('the host to be reset', second);
    expect(watchdog.resets).toBe(1);
  });

  it("resets the host when a guest's writes may be left in the page cache of the host", async () => {
    const { startKeeper, startGuest, isHeld, freeze, watchdog } = await host();
    startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'), { cache: 'writeback' });
    const keeper = startKeeper();
    await isHeld();
    freeze();
    await toEnd('the host to be reset', keeper);
    expect(watchdog.resets).toBe(1);
  });

  it('resets the host when its keeper hangs, whatever runs there', async () => {
    const { startKeeper, startGuest, isHeld, watchdog } = await host();
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    const keeper = startKeeper();
    await isHeld();
    await signal(keeper, 'SIGSTOP');
    await toEnd('the guest to end with the host', guest);
    expect(watchdog.resets).toBe(1);
  });

  it('goes on under another keeper when the first is killed, and nothing happens to guests', async () => {
    const { startKeeper, startGuest, isHeld, watchdog, record } = await host();
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    const first = startKeeper();
    await isHeld();
    const before = record()?.keeper;
    await signal(first, 'SIGKILL');
    startKeeper();
    await waitFor(
      'the next keeper to renew it',
      () => (record()?.keeper === before ? { ready: false, because: 'not yet' } : { ready: true, value: 0 }),
      SOON,
    );
    await pause(WATCHDOG_MS + 1_000);
    expect([lives(guest), watchdog.resets, record()?.watchdogMs]).toEqual([true, 0, WATCHDOG_MS]);
  });

  it('is taken back by a keeper that is asked to end, and then the watchdog is stopped', async () => {
    const { startKeeper, startGuest, isHeld, watchdog, record, folder, bootID } = await host();
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    const keeper = startKeeper();
    await isHeld();
    await signal(keeper, 'SIGTERM');
    await toEnd('the keeper to end', keeper);
    await pause(WATCHDOG_MS + 1_000);
    expect([record()?.watchdogMs, folder.readState(bootID)?.watchdogMs, watchdog.isArmed]).toEqual([0, 0, false]);
    expect(mayStart(folder, bootID, bootTimeMs()).ok).toBe(true);
    expect([lives(guest), watchdog.resets]).toEqual([true, 0]);
  });

  it('is not taken back while the storage does not take it: the keeper stays', async () => {
    const { startKeeper, startGuest, isHeld, freeze, watchdog } = await host();
    const guest = startGuest(domainName({ namespace: 'default', name: 'web' }), OURS('web'));
    const keeper = startKeeper();
    await isHeld();
    freeze();
    await signal(keeper, 'SIGTERM');
    await toEnd('the guest to be killed', guest);
    // It had to stay until then; with no guest left it may go.
    await toEnd('the keeper to end', keeper);
    expect(watchdog.resets).toBe(0);
  });
});

function readable(read: () => unknown): boolean {
  try {
    return read() !== undefined;
  } catch {
    return false;
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTool, ToolError } from '../../../src/host/run-tool.ts';
import { factsOf, isDead } from '../../lab/proc.ts';
import { waitFor } from '../../lab/wait.ts';
import { run, scratchDirectory } from './scratch.ts';

const failureOf = async (call: Promise<unknown>): Promise<ToolError> => {
  const error = await call.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof ToolError) return error;
  throw error;
};

describe('runTool', () => {
  it('gives arguments to the tool as they are, never to a shell', async () => {
    const { stdout } = await runTool({ command: 'printf', args: ['%s|', '$(id)', '; rm x', "'"], timeoutMs: 5_000 });
    expect(stdout).toBe("$(id)|; rm x|'|");
  });

  it('says which tool failed, how, and in its own words', async () => {
    const error = await failureOf(runTool({ command: 'ls', args: ['/no such place'], timeoutMs: 5_000 }));
    expect(error.failure).toBe('Failed');
    expect(error.message).toMatch(/^ls \/no such place: status 2: .*No such file or directory/);
  });

  it('tells a tool that is not installed from one that fails', async () => {
    const error = await failureOf(runTool({ command: 'no-such-tool', args: [], timeoutMs: 5_000 }));
    expect(error.failure).toBe('NotInstalled');
  });

  it('kills a tool that takes too long', async () => {
    const error = await failureOf(runTool({ command: 'sleep', args: ['600'], timeoutMs: 100 }));
    expect(error.failure).toBe('TimedOut');
    expect(error.message).toBe('sleep 600: took longer than 0.1 s');
  });

  it('kills a tool when its caller gives up, and starts none for a caller that has', async () => {
    const stop = new AbortController();
    const running = failureOf(runTool({ command: 'sleep', args: ['600'], timeoutMs: 60_000, signal: stop.signal }));
    stop.abort();
    expect((await running).failure).toBe('Aborted');
    const late = failureOf(runTool({ command: 'sleep', args: ['600'], timeoutMs: 60_000, signal: stop.signal }));
    expect((await late).failure).toBe('Aborted');
  });

  it('stops a tool that takes more memory or time than it may', async () => {
    const limits = { addressSpaceBytes: 2 ** 27, cpuSeconds: 1 };
    const greedy = { command: 'head', args: ['-c', '1G', '/dev/zero'], timeoutMs: 20_000, limits };
    expect((await failureOf(runTool(greedy))).message).toMatch(/printed more than/);
    const hungry = {
      command: 'sort',
      args: ['--buffer-size=1G', '--parallel=1', '/dev/zero'],
      timeoutMs: 20_000,
      limits,
    };
    expect((await failureOf(runTool(hungry))).failure).toBe('Failed');
    const spinning = { command: 'sh', args: ['-c', 'while :; do :; done'], timeoutMs: 20_000, limits };
    expect((await failureOf(runTool(spinning))).message).toMatch(/killed by SIG(XCPU|KILL)/);
  });

  it('leaves no tool behind when the agent is killed', async () => {
    const pidFile = join(scratchDirectory(), 'pid');
    const module = join(import.meta.dirname, '../../../src/host/run-tool.ts');
    const agent = `import { runTool } from ${JSON.stringify(module)};
      void runTool({ command: 'sh', args: ['-c', 'echo $$ > ${pidFile}; exec sleep 600'], timeoutMs: 600_000 });
      const { existsSync } = await import('node:fs');
      setInterval(() => { if (existsSync('${pidFile}')) process.kill(process.pid, 'SIGKILL'); }, 5);`;
    expect(() => run(process.execPath, '--input-type=module-typescript', '-e', agent)).toThrow(
      /SIGKILL|Command failed/,
    );
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await waitFor(
      'the tool to end with its agent',
      () => {
        const facts = factsOf(pid);
        return facts === undefined || isDead(facts)
          ? { ready: true, value: pid }
          : { ready: false, because: facts.state };
      },
      { timeoutMs: 5_000 },
    );
  });
});

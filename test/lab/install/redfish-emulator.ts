import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../lock.ts';
import type { Report } from '../report.ts';
import { run } from '../run.ts';

/** Where is a Python that has the Redfish emulator? Debian has no package of it. */
const REQUIREMENTS = join(import.meta.dirname, '..', 'bmc', 'requirements.txt');

/** Path of the Python with sushy-tools in it, whether it is there yet or not. Keyed by the requirements: others get another one. */
export function redfishEmulatorPython(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environmentFolder(environment), 'bin', 'python');
}

/** Makes the virtual environment, whole or not at all. Quick when it is there. Needs Debian's python3-venv. */
export async function ensureRedfishEmulator(report: Report): Promise<void> {
  if (existsSync(redfishEmulatorPython())) return;
  const folder = environmentFolder(process.env);
  await report.step('Redfish emulator (sushy-tools)', (progress) =>
    withLock(`${folder}.lock`, progress, async () => {
      if (existsSync(folder)) return;
      const draft = `${folder}.draft`;
      rmSync(draft, { recursive: true, force: true });
      // Debian's own: another one in PATH may be removed, or of another version, at any time.
      await run('/usr/bin/python3', ['-m', 'venv', draft], { onLine: progress });
      // Everything is pinned, so nothing is to be resolved.
      const install = [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--no-deps',
        '-r',
        REQUIREMENTS,
      ];
      await run(join(draft, 'bin', 'python'), install, { onLine: progress });
      await run(join(draft, 'bin', 'python'), ['-c', 'import sushy_tools.emulator.main'], { onLine: progress });
      renameSync(draft, folder);
    }),
  );
}

function environmentFolder(environment: NodeJS.ProcessEnv): string {
  const cache = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const key = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  return join(cache, 'drover', 'redfish-emulator', key);
}

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withLock } from '../lock.ts';
import type { Progress, Report } from '../report.ts';
import { run } from '../run.ts';
import { NO_OTHER_TOOLCHAIN, obtainGo } from './go.ts';
import { type ControlPlaneProgram, cacheFolder, wantedVersion } from './programs.ts';

/**
 * Compiles a program of Kubernetes from its Go module into the cache. docs/adr/0002 says why.
 * The program appears in the cache whole or not at all, and two builds at once take turns.
 * @returns its path.
 */
export async function buildProgram(name: ControlPlaneProgram, report: Report): Promise<string> {
  const target = join(cacheFolder(), name);
  const go = await obtainGo(report);
  const what = `${name} ${wantedVersion()} compiled, once for this machine (${USUAL_TIME[name]} on 2 cores)`;
  await report.step(what, (progress) =>
    withLock(join(cacheFolder(), 'build.lock'), progress, async () => {
      if (!existsSync(target)) await compile(go, name, target, progress);
    }),
  );
  return target;
}

/** Measured with empty caches, one after the other in this order. */
const USUAL_TIME: Readonly<Record<ControlPlaneProgram, string>> = {
  'kube-apiserver': 'about 10 minutes',
  kubectl: 'about 1 minute',
  'kube-controller-manager': 'about 3 minutes',
};

async function compile(go: string, name: ControlPlaneProgram, target: string, progress: Progress): Promise<void> {
  const source = `k8s.io/kubernetes/cmd/${name}`;
  const goOptions = { cwd: import.meta.dirname, env: { ...NO_OTHER_TOOLCHAIN, CGO_ENABLED: '0', GOWORK: 'off' } };
  progress('fetching modules');
  const onLine = (line: string) => line.startsWith('go: ') && progress(line);
  const packages = await run(go, ['list', '-deps', source], { ...goOptions, onLine });
  const total = packages.split('\n').length;

  const draft = join(dirname(target), `.${name}.draft`);
  mkdirSync(dirname(target), { recursive: true });
  let compiled = 0;
  try {
    await run(go, ['build', '-v', '-trimpath', '-ldflags', linkerFlags(wantedVersion()), '-o', draft, source], {
      ...goOptions,
      onLine: () => {
        compiled += 1;
        progress(`${compiled} of up to ${total} packages compiled`);
      },
    });
    progress('trying it');
    await run(draft, name === 'kubectl' ? ['version', '--client'] : ['--version']);
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new Error(
      `Cannot build ${name} in ${import.meta.dirname}. Behind a proxy, see "go help goproxy"; or put ${name} ` +
        `${wantedVersion()} into a folder and name that folder in KUBEBUILDER_ASSETS.`,
      { cause: error },
    );
  }
}

/** What Kubernetes' own build stamps into its programs, as far as programs and tests look at it. */
function linkerFlags(version: string): string {
  const [major, minor] = version.slice(1).split('.');
  const stamps = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const stamped = Object.entries(stamps).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  return ['-s', '-w', ...stamped].join(' ');
}

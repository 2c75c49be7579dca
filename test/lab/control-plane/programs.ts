import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where is a program of Kubernetes on this machine? */
export const CONTROL_PLANE_PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kubectl'] as const;
export type ControlPlaneProgram = (typeof CONTROL_PLANE_PROGRAMS)[number];

/** The version that the lab is made for: the one that go.mod requires, e.g. `v1.37.2`. */
export function wantedVersion(goMod: string = readFileSync(join(import.meta.dirname, 'go.mod'), 'utf8')): string {
  const version = /^require k8s\.io\/kubernetes (v\d+\.\d+\.\d+)$/m.exec(goMod)?.[1];
  if (!version) throw new Error('test/lab/control-plane/go.mod has no line "require k8s.io/kubernetes v<version>".');
  return version;
}

/** Built programs are kept outside the checkout: every checkout and every `git clean` may use them again. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const home = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(home, 'drover', 'control-plane', wantedVersion());
}

/**
 * $KUBEBUILDER_ASSETS is taken as it is: who sets it has chosen. What merely lies in PATH must be of the wanted minor
 * version or newer. Last comes what the lab has built before.
 */
export function findProgram(
  name: ControlPlaneProgram,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const assets = environment['KUBEBUILDER_ASSETS'];
  if (assets && isExecutable(join(assets, name))) return join(assets, name);
  for (const folder of (environment['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const file = join(folder, name);
    if (isExecutable(file) && isRecentEnough(versionOf(file, name), wantedVersion())) return file;
  }
  const cached = join(cacheFolder(environment), name);
  return isExecutable(cached) ? cached : undefined;
}

/** Same major version, same minor version or newer. */
export function isRecentEnough(version: string | undefined, wanted: string): boolean {
  const [have, want] = [version, wanted].map((text) =>
    /v(\d+)\.(\d+)/
      .exec(text ?? '')
      ?.slice(1)
      .map(Number),
  );
  if (!have || !want) return false;
  return have[0] === want[0] && (have[1] ?? -1) >= (want[1] ?? 0);
}

function versionOf(file: string, name: ControlPlaneProgram): string | undefined {
  const question = name === 'kubectl' ? ['version', '--client'] : ['--version'];
  try {
    const answer = execFileSync(file, question, {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /v\d+\.\d+\.\d+\S*/.exec(answer)?.[0];
  } catch {
    // Not a program that we can use, whatever is wrong with it: the search goes on.
    return undefined;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

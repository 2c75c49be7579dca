import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAtLeastMinor, wantedGoVersion } from '../../lab/control-plane/go.ts';
import { cacheFolder, findProgram, isRecentEnough, wantedVersion } from '../../lab/control-plane/programs.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'drover-programs-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** A program that answers the question for its version. */
function install(folder: string, name: string, version: string): string {
  const file = join(scratch, folder, name);
  mkdirSync(join(scratch, folder), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho 'Kubernetes ${version}'\n`);
  chmodSync(file, 0o755);
  return file;
}

function environment(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { XDG_CACHE_HOME: join(scratch, 'cache'), PATH: join(scratch, 'bin'), ...variables };
}

const wanted = wantedVersion();

describe('a program of Kubernetes', () => {
  it('is taken from KUBEBUILDER_ASSETS before anything else, whatever its version', () => {
    const chosen = install('assets', 'kube-apiserver', 'v1.20.0');
    install('bin', 'kube-apiserver', wanted);
    const found = findProgram('kube-apiserver', environment({ KUBEBUILDER_ASSETS: join(scratch, 'assets') }));
    expect(found).toBe(chosen);
  });

  it('is taken from PATH when it is of the wanted minor version', () => {
    const inPath = install('bin', 'kube-apiserver', wanted);
    expect(findProgram('kube-apiserver', environment({}))).toBe(inPath);
  });

  it('is taken from the cache when the one in PATH is too old or broken', () => {
    const variables = environment({ PATH: `${join(scratch, 'old')}:${join(scratch, 'broken')}` });
    install('old', 'kubectl', 'v1.30.1');
    install('broken', 'kubectl', 'nothing');
    expect(findProgram('kubectl', variables)).toBeUndefined();
    const cached = install(join('cache', 'drover', 'control-plane', wanted), 'kubectl', wanted);
    expect(findProgram('kubectl', variables)).toBe(cached);
  });

  it('is cached by version, below XDG_CACHE_HOME', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/elsewhere' })).toBe(`/elsewhere/drover/control-plane/${wanted}`);
  });
});

describe('versions', () => {
  it.each([
    ['v1.37.2', true],
    ['v1.37.0', true],
    ['v1.38.0-alpha.1', true],
    ['v1.36.9', false],
    ['v2.40.0', false],
    ['v0.99.0', false],
    [undefined, false],
    ['unknown', false],
  ])('%s of Kubernetes is recent enough for v1.37.2: %s', (version, expected) => {
    expect(isRecentEnough(version, 'v1.37.2')).toBe(expected);
  });

  it.each([
    ['1.26.8', true],
    ['1.26.0', true],
    ['1.27', true],
    ['2.0.0', true],
    ['1.25.9', false],
    ['1.19.8', false],
  ])('Go %s compiles what wants 1.26.8: %s', (version, expected) => {
    expect(isAtLeastMinor(version, '1.26.8')).toBe(expected);
  });

  it('are read from go.mod, and nowhere else written down', () => {
    expect(wantedVersion('module x\n\nrequire k8s.io/kubernetes v1.2.3\n')).toBe('v1.2.3');
    expect(wantedGoVersion('module x\n\ntoolchain go1.99.7\n')).toBe('1.99.7');
    expect(() => wantedVersion('module x\n')).toThrow('no line');
    expect(() => wantedGoVersion('module x\n')).toThrow('no line');
  });
});

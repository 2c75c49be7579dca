import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { arch, homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ensureDebianPackages } from '../install/packages.ts';
import type { Report } from '../report.ts';
import { run } from '../run.ts';

/**
 * Which Go compiles the control plane? The machine's, when it is new enough. Debian 12's Go 1.19 is not, but it can fetch
 * the right one: since Go 1.21 every toolchain is also published as a module (https://go.dev/doc/toolchain), checked
 * against the public checksum database like any other.
 */
const TOOLCHAIN_MODULE = 'golang.org/toolchain';

/** A Go of the wanted version must not go looking for yet another one. */
export const NO_OTHER_TOOLCHAIN = { GOTOOLCHAIN: 'local' };

const moduleDownload = z.object({ Dir: z.string() });

/** The version that go.mod names, e.g. `1.26.8`. */
export function wantedGoVersion(goMod: string = readFileSync(join(import.meta.dirname, 'go.mod'), 'utf8')): string {
  const version = /^toolchain go(\d+\.\d+\.\d+)$/m.exec(goMod)?.[1];
  if (!version) throw new Error('test/lab/control-plane/go.mod has no line "toolchain go<version>".');
  return version;
}

/** @returns the path of a `go` program of the wanted minor version or newer. */
export async function obtainGo(report: Report): Promise<string> {
  const wanted = wantedGoVersion();
  const machines = await versionOf('go');
  if (machines !== undefined && isAtLeastMinor(machines, wanted)) return 'go';
  const fetched = join(toolchainFolder(wanted), 'bin', 'go');
  if (existsSync(fetched)) return fetched;
  if (machines === undefined) await ensureDebianPackages(['golang-go'], report);
  await report.step(`Go ${wanted}`, (progress) => fetchToolchain(wanted, progress));
  return fetched;
}

export function isAtLeastMinor(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

async function fetchToolchain(version: string, onLine: (line: string) => void): Promise<void> {
  const platform = `linux-${arch() === 'x64' ? 'amd64' : arch()}`;
  const scratch = mkdtempSync(join(tmpdir(), 'drover-go-'));
  try {
    const answer = await run(
      'go',
      ['mod', 'download', '-json', `${TOOLCHAIN_MODULE}@v0.0.1-go${version}.${platform}`],
      {
        cwd: scratch,
        env: { ...NO_OTHER_TOOLCHAIN, GO111MODULE: 'on', GOFLAGS: '-modcacherw', GOMODCACHE: join(scratch, 'modules') },
        onLine,
      },
    );
    const draft = `${toolchainFolder(version)}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(dirname(draft), { recursive: true });
    cpSync(moduleDownload.parse(JSON.parse(answer)).Dir, draft, { recursive: true });
    makeExecutable(join(draft, 'bin'));
    for (const folder of readdirSync(join(draft, 'pkg', 'tool'))) makeExecutable(join(draft, 'pkg', 'tool', folder));
    renameSync(draft, toolchainFolder(version));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Modules are stored without permissions; the programs in this one need theirs back. */
function makeExecutable(folder: string): void {
  for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o755);
}

async function versionOf(go: string): Promise<string | undefined> {
  try {
    return /go(\d+\.\d+\.?\d*)/.exec(await run(go, ['version'], { env: NO_OTHER_TOOLCHAIN }))?.[1];
  } catch {
    // No Go on this machine.
    return undefined;
  }
}

function toolchainFolder(version: string): string {
  const home = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(home, 'drover', 'go', version);
}

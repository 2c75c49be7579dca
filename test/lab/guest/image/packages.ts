import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../../report.ts';
import { run } from '../../run.ts';
import { GUEST_PACKAGES, KERNEL_META_PACKAGE } from './recipe.ts';

/** Unpacked Debian packages, none of which is installed on the machine. */
export interface UnpackedPackages {
  /** A root folder with the packages' files. */
  readonly root: string;
  readonly kernelRelease: string;
  /** `name version`, sorted. */
  readonly versions: readonly string[];
}

/** @throws when apt knows no such package or cannot fetch it. */
export async function unpackPackages(folder: string, progress: Progress): Promise<UnpackedPackages> {
  const downloads = join(folder, 'packages');
  const root = join(folder, 'root');
  for (const path of [downloads, root]) mkdirSync(path, { recursive: true });

  const kernel = await kernelPackage();
  // apt would fetch as the user _apt, who may not enter this folder.
  await run('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', kernel, ...GUEST_PACKAGES], {
    cwd: downloads,
    onLine: progress,
  });
  const versions: string[] = [];
  for (const file of readdirSync(downloads).sort()) {
    const path = join(downloads, file);
    await run('dpkg-deb', ['--extract', path, root]);
    versions.push((await run('dpkg-deb', ['--show', path])).trim().replace('\t', ' '));
  }
  return { root, kernelRelease: kernel.replace(/^linux-image-/, ''), versions };
}

async function kernelPackage(): Promise<string> {
  const answer = await run('apt-cache', ['depends', KERNEL_META_PACKAGE]);
  const found = /^\s*Depends: (linux-image-\d\S*)$/m.exec(answer)?.[1];
  if (found === undefined) {
    throw new Error(
      `apt knows no kernel behind ${KERNEL_META_PACKAGE}, which the test guest boots. ` +
        `Run "apt-get update", on Debian 12 with the "main" component. apt-cache said: ${answer}`,
    );
  }
  return found;
}

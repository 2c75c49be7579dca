import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isSystemError, writeFileDurably } from '../host/index.ts';
import { newSealingKey, type SealingKey } from '../runtime/sealed.ts';

const SealingKeySchema = z.object({ publicKey: z.string().min(1), privateKey: z.string().min(1) });

/**
 * The key pair for which the operator seals Secrets meant for this host; made when there is none. It stays the same over
 * restarts: with another one every sealed Secret of the host's VMs would have to be sealed anew.
 * @throws Error when the file cannot be read or holds no key pair.
 */
export async function sealingKeyIn(stateDirectory: string): Promise<SealingKey> {
  const path = join(stateDirectory, 'sealing.key');
  try {
    return SealingKeySchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT')) {
      throw new Error(`Cannot read ${path}; delete it, and the operator seals all Secrets for a new key`, { cause });
    }
  }
  const key = newSealingKey();
  await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
  await writeFileDurably(path, `${JSON.stringify(key)}\n`, 0o600);
  return key;
}

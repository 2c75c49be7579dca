import type { Image } from '../../api/image.ts';
import { type ImageRefusal, judgeImage } from '../../core/storage/image-verdict.ts';
import { DatastoreError, type ImageInfo, inspectImage, isLockError, ToolError } from '../../host/index.ts';
import type { DatastoreAccess } from '../datastores/datastores.ts';

export type ImageFailure =
  | ImageRefusal
  | 'NotFound'
  | 'OutsideOfImages'
  | 'NotAFile'
  | 'BeingWritten'
  | 'Unreadable'
  | 'DatastoreUnavailable';

export type InspectedImage =
  | {
      readonly ok: true;
      readonly path: string;
      readonly format: 'qcow2' | 'raw';
      readonly info: ImageInfo;
    }
  | { readonly ok: false; readonly reason: ImageFailure; readonly message: string };

/**
 * Looks at the file of an Image, anew each time: what another agent wrote about it proves nothing about what is there.
 * @param path relative to `images` of the datastore.
 */
export async function inspectImageFile(
  access: DatastoreAccess,
  path: Image['spec']['path'],
  signal: AbortSignal,
): Promise<InspectedImage> {
  if (!access.ok) return { ok: false, reason: 'DatastoreUnavailable', message: access.message };
  const file = await access.files
    .call('findImage', { root: access.root, identity: access.identity, path })
    .catch(unavailable);
  if ('reason' in file) return { ok: false, ...file };
  try {
    const info = await inspectImage(file.path, { signal });
    const verdict = judgeImage(file.path, info);
    if (!verdict.ok) return verdict;
    return { ok: true, path: file.path, format: verdict.format, info };
  } catch (error) {
    if (!(error instanceof ToolError) || error.failure === 'Aborted') throw error;
    if (isLockError(error)) {
      return {
        ok: false,
        reason: 'BeingWritten',
        message: `${file.path} is open in a QEMU that writes to it; copy it and use the copy`,
      };
    }
    return { ok: false, reason: 'Unreadable', message: `${file.path} cannot be read as an image: ${error.message}` };
  }
}

function unavailable(error: unknown): { reason: 'DatastoreUnavailable'; message: string } {
  if (!(error instanceof DatastoreError)) throw error;
  return { reason: 'DatastoreUnavailable', message: error.message };
}

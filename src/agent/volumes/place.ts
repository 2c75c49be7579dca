import { join } from 'node:path';
import type { Volume } from '../../api/volume.ts';
import { partialPrefix, type VolumeIdentity, volumeFileName, volumeFolder } from '../../core/storage/volume-path.ts';
import type { DatastoreFiles } from '../../host/index.ts';
import type { Datastores } from '../datastores/datastores.ts';
import { VolumeFailure } from './failure.ts';

/** Where the data of one Volume is, on a datastore that the host can use. */
export interface VolumePlace {
  readonly identity: VolumeIdentity;
  readonly folder: string;
  readonly path: string;
  readonly files: DatastoreFiles;
  /** For the calls of `files`. */
  readonly args: {
    readonly root: string;
    readonly identity: string;
    readonly namespace: string;
    readonly file: string;
    readonly partialPrefix: string;
  };
}

/** @throws VolumeFailure when the host cannot use the datastore now. */
export function placeOf(volume: Volume, datastores: Datastores): VolumePlace {
  const access = datastores.access(volume.spec.datastoreName);
  if (!access.ok) throw new VolumeFailure('DatastoreUnavailable', access.message);
  const { namespace = '', name, uid } = volume.metadata;
  const identity = { namespace, name, uid };
  const folder = volumeFolder(access.root, identity);
  const file = volumeFileName(identity);
  const prefix = partialPrefix(identity);
  const args = { root: access.root, identity: access.identity, namespace, file, partialPrefix: prefix };
  return { identity, folder, path: join(folder, file), files: access.files, args };
}

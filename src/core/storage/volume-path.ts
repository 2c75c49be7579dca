/** What names the files of a Volume. */
export interface VolumeIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A file name holds at most 255 bytes (NAME_MAX): the rest is for the uid and the extension. */
const MAX_NAME_LENGTH = 200;

/**
 * File name of a Volume's data. The uid keeps a Volume that was deleted and made anew from finding the old data; the name
 * is for people.
 */
export function volumeFileName({ name, uid }: VolumeIdentity): string {
  return `${name.slice(0, MAX_NAME_LENGTH)}.${uid}.qcow2`;
}

/** Path of a Volume's data on every host that sees the datastore. */
export function volumePath(datastorePath: string, volume: VolumeIdentity): string {
  return `${volumeFolder(datastorePath, volume)}/${volumeFileName(volume)}`;
}

export function volumeFolder(datastorePath: string, { namespace }: VolumeIdentity): string {
  return `${datastorePath}/volumes/${namespace}`;
}

/** What the names of all unfinished files of a Volume begin with. */
export function partialPrefix({ uid }: VolumeIdentity): string {
  return `.${uid}.`;
}

/** Name of an unfinished file. @param attempt unique, so that no other try of this or another host writes to it. */
export function partialFileName(volume: VolumeIdentity, attempt: string): string {
  return `${partialPrefix(volume)}${attempt}.partial`;
}

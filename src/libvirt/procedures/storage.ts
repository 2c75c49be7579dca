import { bool, flags, int, list, uhyper, uint, uuid } from '../xdr/schema.ts';
import { LIST_MAX, needResults, optionalText, poolRef, text, volumeRef } from './items.ts';
import { remote, streaming } from './procedure.ts';

const pool = poolRef;
const vol = volumeRef;
/** Bytes. */
const volumeInfo = { type: int, capacity: uhyper, allocation: uhyper };

/** Storage pools and their volumes. */
export const storage = {
  connectListAllStoragePools: remote(281, { needResults, flags }, { pools: list(pool, LIST_MAX), ret: uint }),
  connectFindStoragePoolSources: remote(75, { type: text, srcSpec: optionalText, flags }, { xml: text }),
  connectGetStoragePoolCapabilities: remote(403, { flags }, { capabilities: text }),
  storagePoolLookupByName: remote(84, { name: text }, { pool }),
  storagePoolLookupByUuid: remote(85, { uuid }, { pool }),
  storagePoolLookupByVolume: remote(86, { vol }, { pool }),
  storagePoolLookupByTargetPath: remote(391, { path: text }, { pool }),
  storagePoolCreateXml: remote(76, { xml: text, flags }, { pool }),
  storagePoolDefineXml: remote(77, { xml: text, flags }, { pool }),
  storagePoolCreate: remote(78, { pool, flags }, {}),
  storagePoolBuild: remote(79, { pool, flags }, {}, 'job'),
  storagePoolDestroy: remote(80, { pool }, {}),
  storagePoolDelete: remote(81, { pool, flags }, {}),
  storagePoolUndefine: remote(82, { pool }, {}),
  storagePoolRefresh: remote(83, { pool, flags }, {}, 'job'),
  /** Bytes. */
  storagePoolGetInfo: remote(87, { pool }, { state: uint, capacity: uhyper, allocation: uhyper, available: uhyper }),
  storagePoolGetXmlDesc: remote(88, { pool, flags }, { xml: text }),
  storagePoolGetAutostart: remote(89, { pool }, { autostart: bool }),
  storagePoolSetAutostart: remote(90, { pool, autostart: bool }, {}),
  storagePoolIsActive: remote(154, { pool }, { active: bool }),
  storagePoolIsPersistent: remote(155, { pool }, { persistent: bool }),

  storagePoolListAllVolumes: remote(282, { pool, needResults, flags }, { vols: list(vol, LIST_MAX), ret: uint }),
  storageVolLookupByName: remote(95, { pool, name: text }, { vol }),
  storageVolLookupByKey: remote(96, { key: text }, { vol }),
  storageVolLookupByPath: remote(97, { path: text }, { vol }),
  storageVolCreateXml: remote(93, { pool, xml: text, flags }, { vol }, 'job'),
  /** A full copy of `cloneVol`, which may be of another pool and format. */
  storageVolCreateXmlFrom: remote(125, { pool, xml: text, cloneVol: vol, flags }, { vol }, 'job'),
  storageVolDelete: remote(94, { vol, flags }, {}),
  storageVolWipePattern: remote(259, { vol, algorithm: uint, flags }, {}, 'job'),
  /** Bytes. */
  storageVolResize: remote(260, { vol, capacity: uhyper, flags }, {}, 'job'),
  storageVolGetInfo: remote(98, { vol }, volumeInfo),
  storageVolGetInfoFlags: remote(378, { vol, flags }, volumeInfo),
  storageVolGetXmlDesc: remote(99, { vol, flags }, { xml: text }),
  storageVolGetPath: remote(100, { vol }, { name: text }),
  /** `offset` and `length` in bytes; `length` 0 is all that follows. */
  storageVolUpload: streaming(208, { vol, offset: uhyper, length: uhyper, flags }, {}, 'upload'),
  storageVolDownload: streaming(209, { vol, offset: uhyper, length: uhyper, flags }, {}, 'download'),
};

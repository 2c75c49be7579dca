import { bool, flags, int, list } from '../xdr/schema.ts';
import { domainRef, LIST_MAX, needResults, snapshotRef, text } from './items.ts';
import { remote } from './procedure.ts';

const dom = domainRef;
const snap = snapshotRef;

/** A domain's snapshots as libvirt keeps them. Creating, reverting and deleting may move a guest's whole memory. */
export const snapshot = {
  domainSnapshotCreateXml: remote(185, { dom, xmlDesc: text, flags }, { snap }, 'job'),
  domainSnapshotGetXmlDesc: remote(186, { snap, flags }, { xml: text }),
  domainListAllSnapshots: remote(274, { dom, needResults, flags }, { snapshots: list(snap, LIST_MAX), ret: int }),
  domainSnapshotListAllChildren: remote(
    275,
    { snapshot: snap, needResults, flags },
    { snapshots: list(snap, LIST_MAX), ret: int },
  ),
  domainSnapshotLookupByName: remote(189, { dom, name: text, flags }, { snap }),
  domainHasCurrentSnapshot: remote(190, { dom, flags }, { result: bool }),
  domainSnapshotCurrent: remote(191, { dom, flags }, { snap }),
  domainSnapshotGetParent: remote(244, { snap, flags }, { snap }),
  domainRevertToSnapshot: remote(192, { snap, flags }, {}, 'job'),
  domainSnapshotDelete: remote(193, { snap, flags }, {}, 'job'),
};

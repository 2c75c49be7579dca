import { bytes, flags, int, uhyper } from '../xdr/schema.ts';
import { paramsOf, typedParams } from '../xdr/typedParams.ts';
import { COOKIE_MAX_BYTES, domainRef, optionalText, text } from './items.ts';
import { remote } from './procedure.ts';

const dom = domainRef;
const cookie = bytes(COOKIE_MAX_BYTES);

/** VIR_MIGRATE_PARAM_*: bandwidths in MiB/s, caches in bytes, convergence in percent. */
const params = paramsOf(64, {
  migrate_uri: 'string',
  destination_name: 'string',
  destination_xml: 'string',
  persistent_xml: 'string',
  bandwidth: 'ullong',
  'bandwidth.postcopy': 'ullong',
  graphics_uri: 'string',
  listen_address: 'string',
  migrate_disks: 'strings',
  disks_port: 'int',
  disks_uri: 'string',
  compression: 'strings',
  'compression.mt.level': 'int',
  'compression.mt.threads': 'int',
  'compression.mt.dthreads': 'int',
  'compression.xbzrle.cache': 'ullong',
  'auto_converge.initial': 'int',
  'auto_converge.increment': 'int',
  'parallel.connections': 'int',
  'tls.destination': 'string',
});

/**
 * Jobs of a domain, migration above all. For a peer-to-peer migration only `domainMigratePerform3Params` is called, on
 * the source, with the target daemon's URI as `dconnuri`: the two daemons do the other steps among themselves.
 * The other steps are here for a migration that the client steers, when the daemons cannot reach each other.
 */
export const migration = {
  domainMigrateBegin3Params: remote(302, { dom, params, flags }, { cookieOut: cookie, xml: text }, 'job'),
  domainMigratePrepare3Params: remote(
    303,
    { params, cookieIn: cookie, flags },
    { cookieOut: cookie, uriOut: optionalText },
    'job',
  ),
  domainMigratePerform3Params: remote(
    305,
    { dom, dconnuri: optionalText, params, cookieIn: cookie, flags },
    { cookieOut: cookie },
    'job',
  ),
  domainMigrateFinish3Params: remote(
    306,
    { params, cookieIn: cookie, flags, cancelled: int },
    { dom, cookieOut: cookie },
    'job',
  ),
  domainMigrateConfirm3Params: remote(307, { dom, params, cookieIn: cookie, flags, cancelled: int }, {}, 'job'),
  domainMigrateStartPostCopy: remote(364, { dom, flags }, {}),
  /** Milliseconds. */
  domainMigrateSetMaxDowntime: remote(166, { dom, downtimeMs: uhyper, flags }, {}),
  domainMigrateGetMaxDowntime: remote(387, { dom, flags }, { downtimeMs: uhyper }),
  /** MiB/s. */
  domainMigrateSetMaxSpeed: remote(207, { dom, bandwidthMibPerSecond: uhyper, flags }, {}),
  domainMigrateGetMaxSpeed: remote(242, { dom, flags }, { bandwidthMibPerSecond: uhyper }),
  /** Bytes. */
  domainMigrateSetCompressionCache: remote(300, { dom, cacheSizeBytes: uhyper, flags }, {}),
  domainMigrateGetCompressionCache: remote(299, { dom, flags }, { cacheSizeBytes: uhyper }),

  /** Times in milliseconds, sizes in bytes. */
  domainGetJobInfo: remote(
    163,
    { dom },
    {
      type: int,
      timeElapsed: uhyper,
      timeRemaining: uhyper,
      dataTotal: uhyper,
      dataProcessed: uhyper,
      dataRemaining: uhyper,
      memTotal: uhyper,
      memProcessed: uhyper,
      memRemaining: uhyper,
      fileTotal: uhyper,
      fileProcessed: uhyper,
      fileRemaining: uhyper,
    },
  ),
  domainGetJobStats: remote(298, { dom, flags }, { type: int, params: typedParams(64) }),
  domainAbortJob: remote(164, { dom }, {}),
  domainAbortJobFlags: remote(442, { dom, flags }, {}),
};

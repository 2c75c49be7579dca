import type { InOf, OutOf } from '../xdr/schema.ts';
import { block } from './block.ts';
import { connect } from './connect.ts';
import { domain } from './domain.ts';
import { guest } from './guest.ts';
import { migration } from './migration.ts';
import { network, secrets } from './network.ts';
import { node } from './node.ts';
import { resources } from './resources.ts';
import { snapshot } from './snapshot.ts';
import { storage } from './storage.ts';

/** Every libvirt procedure that Drover calls, by the name that libvirt gives it. */
export const PROCEDURES = {
  ...connect,
  ...node,
  ...domain,
  ...resources,
  ...migration,
  ...block,
  ...snapshot,
  ...guest,
  ...storage,
  ...network,
  ...secrets,
};

type Procedures = typeof PROCEDURES;
export type ProcedureName = keyof Procedures;
export type StreamName = { [N in ProcedureName]: Procedures[N]['stream'] extends 'none' ? never : N }[ProcedureName];
export type CallName = Exclude<ProcedureName, StreamName>;

/** What a procedure takes; fields with a default may be left out. */
export type ArgsOf<N extends ProcedureName> = InOf<Procedures[N]['args']>;
/** What it answers; nothing when it only succeeds. */
export type ReplyOf<N extends ProcedureName> = keyof OutOf<Procedures[N]['ret']> extends never
  ? undefined
  : OutOf<Procedures[N]['ret']>;

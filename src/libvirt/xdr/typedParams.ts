import { XdrError, type XdrReader } from './reader.ts';
import { double, hyper, int, string, uhyper, uint, type Xdr, XdrValueError } from './schema.ts';
import type { XdrWriter } from './writer.ts';

/** One libvirt typed parameter: 32 bit integers and doubles as number, 64 bit integers as bigint. */
export type TypedValue = number | bigint | boolean | string;

/** libvirt's typed parameters by field name. Should a daemon ever send a field twice, the last one counts. */
export type TypedParams = Readonly<Record<string, TypedValue>>;

/** virTypedParameterType; `strings` is a string parameter that libvirt allows more than once. */
const WIRE_TYPE = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7, strings: 7 } as const;

export type ParamKind = keyof typeof WIRE_TYPE;
type ParamIn = {
  int: number;
  uint: number;
  llong: number | bigint;
  ullong: number | bigint;
  double: number;
  boolean: boolean;
  string: string;
  strings: readonly string[];
};

/** The parameters that a call accepts, each optional, each of the wire type that libvirt checks it against. */
export type ParamKinds = Readonly<Record<string, ParamKind>>;
export type ParamsIn<K extends ParamKinds> = { readonly [N in keyof K]?: ParamIn[K[N]] | undefined };

/** REMOTE_STRING_MAX of remote_protocol.x. */
const text = string(4_194_304);

function readValue(from: XdrReader): TypedValue {
  const type = from.int();
  switch (type) {
    case WIRE_TYPE.int:
      return int.read(from);
    case WIRE_TYPE.uint:
      return uint.read(from);
    case WIRE_TYPE.llong:
      return hyper.read(from);
    case WIRE_TYPE.ullong:
      return uhyper.read(from);
    case WIRE_TYPE.double:
      return double.read(from);
    case WIRE_TYPE.boolean:
      return from.int() !== 0;
    case WIRE_TYPE.string:
      return text.read(from);
    default:
      throw new XdrError(`${type} is not a type of a typed parameter`);
  }
}

function readParams(from: XdrReader, max: number): TypedParams {
  const count = from.count(max, 'typed parameters');
  const params: Record<string, TypedValue> = {};
  for (let index = 0; index < count; index++) params[text.read(from)] = readValue(from);
  return params;
}

function writeParam(to: XdrWriter, name: string, kind: ParamKind, value: unknown): void {
  text.write(to, name);
  to.int(WIRE_TYPE[kind]);
  if ((kind === 'string' || kind === 'strings') && typeof value === 'string') text.write(to, value);
  else if (kind === 'boolean' && typeof value === 'boolean') to.int(value ? 1 : 0);
  else if (kind === 'llong' && isInteger(value)) hyper.write(to, value);
  else if (kind === 'ullong' && isInteger(value)) uhyper.write(to, value);
  else if (kind === 'int' && typeof value === 'number') int.write(to, value);
  else if (kind === 'uint' && typeof value === 'number') uint.write(to, value);
  else if (kind === 'double' && typeof value === 'number') double.write(to, value);
  else throw new XdrValueError(`${name} takes a value of type ${kind}, not ${typeof value}`);
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Parameters that the daemon sends. Written (by test daemons only) with the widest wire type of each value. */
export function typedParams(max: number): Xdr<TypedParams> {
  return {
    read: (from) => readParams(from, max),
    write(to, params) {
      const entries = Object.entries(params);
      if (entries.length > max) throw new XdrValueError(`${entries.length} parameters, the protocol's limit is ${max}`);
      to.uint(entries.length);
      for (const [name, value] of entries) writeParam(to, name, kindOf(value), value);
    },
  };
}

function kindOf(value: TypedValue): ParamKind {
  if (typeof value === 'bigint') return value < 0n ? 'llong' : 'ullong';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'double';
  return typeof value === 'string' ? 'string' : 'boolean';
}

/**
 * Parameters that a call takes, by name. A name that is not listed is refused here rather than by the daemon, and each
 * goes out with its own wire type: libvirt rejects a number sent with the wrong one.
 */
export function paramsOf<const K extends ParamKinds>(max: number, kinds: K): Xdr<TypedParams, ParamsIn<K>> {
  return {
    read: (from) => readParams(from, max),
    write(to, params) {
      const given = flatten(params, kinds);
      if (given.length > max) throw new XdrValueError(`${given.length} parameters, the protocol's limit is ${max}`);
      to.uint(given.length);
      for (const [name, kind, value] of given) writeParam(to, name, kind, value);
    },
  };
}

function flatten(params: Readonly<Record<string, unknown>>, kinds: ParamKinds): [string, ParamKind, unknown][] {
  return Object.entries(params).flatMap(([name, value]) => {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw new XdrValueError(`no parameter "${name}"; known: ${Object.keys(kinds).join(', ')}`);
    if (value === undefined) return [];
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.map((each): [string, ParamKind, unknown] => [name, kind, each]);
  });
}

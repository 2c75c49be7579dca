import { XdrError } from './reader.ts';
import { type AnyXdr, type InOf, type OutOf, type Xdr, XdrValueError } from './schema.ts';

export type Fields = Readonly<Record<string, AnyXdr>>;

export type StructOut<F extends Fields> = { readonly [K in keyof F]: OutOf<F[K]> };

/** Fields that the caller has no say in (`constant`) do not appear; those with a default may be left out. */
export type StructIn<F extends Fields> = {
  readonly [K in keyof F as undefined extends InOf<F[K]> ? never : K]: InOf<F[K]>;
} & {
  readonly [K in keyof F as InOf<F[K]> extends undefined ? never : undefined extends InOf<F[K]> ? K : never]?: InOf<
    F[K]
  >;
};

/** Fields one after the other, in the order in which they are listed. */
export function struct<F extends Fields>(fields: F): Xdr<StructOut<F>, StructIn<F>> {
  const entries = Object.entries(fields);
  return {
    read(from) {
      const value: Record<string, unknown> = {};
      let reading = '';
      try {
        for (const [name, field] of entries) {
          reading = name;
          value[name] = field.read(from);
        }
      } catch (error) {
        if (error instanceof XdrError) throw new XdrError(atField(reading, error.message), { cause: error.cause });
        throw error;
      }
      return value as StructOut<F>;
    },
    write(to, value) {
      const given: Readonly<Record<string, unknown>> = value;
      let writing = '';
      try {
        for (const [name, field] of entries) {
          writing = name;
          field.write(to, given[name] as never);
        }
      } catch (error) {
        if (error instanceof XdrValueError) throw new XdrValueError(atField(writing, error.message));
        throw error;
      }
    },
  };
}

/** Inner structs put their field's name in front already: `dom.uuid: ...`. */
function atField(name: string, message: string): string {
  return /^[\w.]+: /.test(message) ? `${name}.${message}` : `${name}: ${message}`;
}

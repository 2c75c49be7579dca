import type * as z from 'zod';

type Parser = Pick<z.ZodType, 'safeParse'>;

/**
 * A parser of values that are shared and never changed: each is parsed once, however many processes of the world read it, and
 * what came out of it is not parsed again, since defaults and unknown members are the same the second time.
 */
export function parsesOnce(schema: z.ZodType): Parser {
  const known = new WeakMap<object, ReturnType<Parser['safeParse']>>();
  return {
    safeParse: (value) => {
      if (typeof value !== 'object' || value === null) return schema.safeParse(value);
      const before = known.get(value);
      if (before !== undefined) return before;
      const result = schema.safeParse(value);
      known.set(value, result);
      if (result.success && typeof result.data === 'object' && result.data !== null) known.set(result.data, result);
      return result;
    },
  };
}

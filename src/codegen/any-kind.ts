import type * as z from 'zod';
import type { KindOptions } from '../api/common/kind.ts';

/** A kind of `src/api`, whatever its spec and status are. */
export interface AnyKind extends KindOptions<z.ZodType, z.ZodType> {
  readonly group: string;
  readonly version: string;
  readonly singular: string;
  readonly object: z.ZodType;
}

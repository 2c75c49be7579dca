import * as z from 'zod';

/** A Kubernetes quantity as written in YAML: `4Gi`, `500m`, `2`. */
export const Quantity = z
  .union([z.int().min(0), z.string().max(32)])
  .meta({ 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$' });
export type Quantity = z.output<typeof Quantity>;

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

const FORM = /^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/;

/**
 * The plain number that a quantity stands for: bytes for `4Gi`, cores for `500m`.
 * @throws RangeError when the text is no quantity.
 */
export function parseQuantity(quantity: Quantity): number {
  const [, digits, suffix = ''] = FORM.exec(String(quantity)) ?? [];
  const factor = FACTORS[suffix];
  if (digits === undefined || factor === undefined) {
    throw new RangeError(`"${quantity}" is not a quantity; write a number with an optional suffix, as in 512Mi or 4Gi`);
  }
  return Number(digits) * factor;
}

/** Bytes as the largest binary unit that shows them without a fraction: `4Gi`, `1536Mi`, `1000`. */
export function formatBytes(bytes: number): string {
  const units = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;
  const unit = units.find((candidate) => bytes !== 0 && bytes % (FACTORS[candidate] ?? 1) === 0);
  return unit === undefined ? String(bytes) : `${bytes / (FACTORS[unit] ?? 1)}${unit}`;
}

/** Cores as a quantity: `2`, `500m`. */
export function formatCores(cores: number): string {
  return Number.isInteger(cores) ? String(cores) : `${Math.round(cores * 1000)}m`;
}

import * as z from 'zod';
import { withRules } from './cel.ts';

/** A Kubernetes quantity as written in YAML: `4Gi`, `500m`, `2`. */
export type Quantity = number | string;

/** Kubernetes, resource.Quantity: `<signedNumber><suffix>`, the suffix binary, decimal or an exponent. */
const FORM = /^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?[0-9]+))?$/;

/** Longer than any quantity that means something; the bound keeps the cost of the rules small. */
const TEXT_MAX = 32;

const NO_QUANTITY = 'is no quantity: write a number with an optional unit, as in 512Mi, 4Gi or 500m';

export interface QuantityLimits {
  readonly least: string;
  readonly tooSmall: string;
  /** Absent: no upper limit. */
  readonly most?: string;
  readonly tooBig?: string;
}

/** A field that holds a quantity within limits, as a number or as text. */
export function quantityField({ least, tooSmall, most, tooBig }: QuantityLimits) {
  const schema = z
    .union([z.int(), z.string().max(TEXT_MAX)])
    .refine((value) => FORM.test(String(value)), NO_QUANTITY)
    .meta({ 'x-kubernetes-int-or-string': true });
  const compared = (limit: string, sign: string) =>
    `!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('${limit}')) ${sign} 0`;
  return withRules(
    schema,
    { rule: 'isQuantity(string(self))', message: NO_QUANTITY },
    { rule: compared(least, '>='), message: tooSmall },
    ...(most !== undefined && tooBig !== undefined ? [{ rule: compared(most, '<='), message: tooBig }] : []),
  );
}

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The plain number that a quantity stands for: bytes for `4Gi`, cores for `500m`.
 * @throws RangeError when the text is no quantity.
 */
export function parseQuantity(quantity: Quantity): number {
  const [, digits, suffix = '', exponent = '0'] = FORM.exec(String(quantity)) ?? [];
  const factor = FACTORS[suffix];
  if (digits === undefined || factor === undefined) {
    throw new RangeError(`"${quantity}" is not a quantity; write a number with an optional suffix, as in 512Mi or 4Gi`);
  }
  return Number(`${digits}e${exponent}`) * factor;
}

/** Whole bytes that a quantity stands for; a fraction (`1.1Gi` holds one) is rounded up, as Kubernetes does. */
export function parseBytes(quantity: Quantity): number {
  return Math.ceil(parseQuantity(quantity));
}

/** Bytes as the largest binary unit that shows them without a fraction: `4Gi`, `1536Mi`, `1000`. */
export function formatBytes(bytes: number): string {
  const units = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;
  const unit = units.find((candidate) => bytes !== 0 && bytes % (FACTORS[candidate] ?? 1) === 0);
  return unit === undefined ? String(bytes) : `${bytes / (FACTORS[unit] ?? 1)}${unit}`;
}

/** Bytes for people: the largest binary unit that leaves at least 1, and at most three digits, as in `1.21Gi`. */
export function showBytes(bytes: number): string {
  const units = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;
  // 1023.9 of a unit would be shown as 1024 of it.
  const unit = units.find((candidate) => bytes >= 0.9995 * (FACTORS[candidate] ?? 1));
  return unit === undefined ? String(bytes) : `${threeDigits(bytes / (FACTORS[unit] ?? 1))}${unit}`;
}

function threeDigits(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** Cores as a quantity: `2`, `500m`. */
export function formatCores(cores: number): string {
  return Number.isInteger(cores) ? String(cores) : `${Math.round(cores * 1000)}m`;
}

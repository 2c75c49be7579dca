import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { immutable, matching, withRules } from '../../../src/api/common/cel.ts';
import { quantityField } from '../../../src/api/common/quantity.ts';
import { structuralSchemaOf } from '../../../src/codegen/structural-schema.ts';

const of = (schema: z.ZodType) => structuralSchemaOf(schema, 'Test');

describe('the structural schema of a zod schema', () => {
  it('says int64 of integers, and only limits that somebody set', () => {
    expect(of(z.int())).toEqual({ type: 'integer', format: 'int64' });
    expect(of(z.int().min(0).max(10))).toEqual({ type: 'integer', format: 'int64', minimum: 0, maximum: 10 });
    expect(of(z.number().min(0.5))).toEqual({ type: 'number', minimum: 0.5 });
  });

  it('demands the fields that have neither a default nor leave to be absent', () => {
    const schema = of(z.object({ a: z.string(), b: z.string().optional(), c: z.string().default('x') }));
    expect(schema.required).toEqual(['a']);
    expect(schema.properties?.['c']).toEqual({ type: 'string', default: 'x' });
  });

  it('keeps the order of fields and puts keywords always in the same one', () => {
    const schema = of(z.object({ b: z.string().max(3).meta({ description: 'B' }), a: z.boolean() }));
    expect(Object.keys(schema.properties ?? {})).toEqual(['b', 'a']);
    expect(Object.keys(schema.properties?.['b'] ?? {})).toEqual(['description', 'type', 'maxLength']);
  });

  it('fills the defaults of fields into the default of their object, as rules see it before defaulting', () => {
    const inner = z.object({ size: z.int().default(1), name: z.string().optional() }).prefault({});
    expect(of(z.object({ inner }).prefault({})).default).toEqual({ inner: { size: 1 } });
  });

  it('says number or text by the extension alone, with a bound on the text', () => {
    const schema = of(quantityField({ least: '0', tooSmall: 'cannot be negative' }));
    expect(schema).toMatchObject({ 'x-kubernetes-int-or-string': true, maxLength: 32 });
    expect(schema).not.toHaveProperty('anyOf');
    expect(schema).not.toHaveProperty('type');
  });

  it('says date-time without the expression that zod has for it', () => {
    expect(of(z.iso.datetime({ offset: true }))).toEqual({ type: 'string', format: 'date-time' });
  });

  it('carries rules over, those of a schema behind those of what it was made from', () => {
    const schema = of(immutable(matching(z.string(), /^a+$/, 'is no a'), 'cannot be changed').optional());
    expect(schema['x-kubernetes-validations']).toEqual([
      { rule: "self.matches(r'^a+$')", message: 'is no a' },
      { rule: 'self == oldSelf', message: 'cannot be changed' },
    ]);
  });

  it('shows a rule in words instead of the pattern behind it, and zod checks the same pattern', () => {
    const schema = matching(z.string(), /^a+$/, 'is no a');
    expect(of(schema)).not.toHaveProperty('pattern');
    expect(schema.safeParse('b').error?.issues[0]?.message).toBe('is no a');
  });

  it('makes maps of records', () => {
    expect(of(z.record(z.string(), z.int()))).toEqual({
      type: 'object',
      additionalProperties: { type: 'integer', format: 'int64' },
    });
  });

  it.each([
    ['a union of kinds of objects', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]), 'anyOf'],
    ['null', z.string().nullable(), 'nullable'],
  ])('refuses %s, which no CRD can say, and names the place and the way out', (_, schema, keyword) => {
    const make = () => of(z.object({ field: schema }));
    expect(make).toThrow(`Test.field: a CRD cannot say ${keyword}; use a CEL rule (withRules) instead`);
  });

  it('does not change a schema that rules are added to', () => {
    const plain = z.string();
    withRules(plain, { rule: 'true', message: 'never' });
    expect(of(plain)).toEqual({ type: 'string' });
  });
});

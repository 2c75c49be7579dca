import { expect, it } from 'vitest';
import { quote } from '../../../src/power/quote.ts';

it.each([
  ['two\n  lines\u0007', 'two lines'],
  ['wrong password "s3cret" for root', 'wrong password "[redacted]" for root'],
  [`${'x'.repeat(400)}`, `${'x'.repeat(300)}...`],
])('quotes %j', (said, quoted) => {
  expect(quote(said, ['s3cret', ''])).toBe(quoted);
});

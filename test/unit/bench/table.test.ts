import { describe, expect, it } from 'vitest';
import { renderDocument } from '../../bench/table.ts';

const row = (ours: number) => ({
  name: 'calls',
  unit: 'ms',
  ours,
  baseline: 2,
  ratio: ours / 2,
  goal: '≤ 1',
  holds: ours <= 2,
});

describe('the table of benchmarks', () => {
  it('keeps the groups that were not measured this time, and sets the others anew', () => {
    const first = renderDocument('', new Map([['b', [row(1)]]]));
    const second = renderDocument(first, new Map([['a', [row(1)]]]));
    const third = renderDocument(second, new Map([['b', [row(3)]]]));
    expect(second.match(/^## .*/gm)).toEqual(['## a', '## b']);
    expect(third).toContain('| calls | ms | 3 | 2 | 1.50 | ≤ 1 | **missed** |');
    expect(third.match(/\*\*missed\*\*/g)).toHaveLength(1);
    expect(renderDocument(third, new Map())).toBe(third);
  });
});

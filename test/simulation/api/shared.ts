import { isJson } from './field-set.ts';

/**
 * What arrives at the other end of a wire: a value without what JSON cannot carry. Parts that are equal to those of `like`
 * are these very parts, so that who compares the two by and by finds most of it out at one glance, and nothing is kept twice.
 */
export function received(value: unknown, like: unknown): unknown {
  if (value === like) return like;
  if (Array.isArray(value)) {
    const before = Array.isArray(like) ? like : [];
    let isSame = before.length === value.length && like !== undefined && Array.isArray(like);
    const items: unknown[] = new Array(value.length);
    for (let index = 0; index < value.length; index++) {
      const item = received(value[index], before[index]) ?? null;
      items[index] = item;
      if (item !== before[index]) isSame = false;
    }
    return isSame ? like : items;
  }
  if (!isJson(value)) return value;
  const before = isJson(like) ? like : undefined;
  const members: Record<string, unknown> = {};
  let isSame = before !== undefined;
  let count = 0;
  for (const name in value) {
    const sent = value[name];
    if (sent === undefined) continue;
    const member = received(sent, before?.[name]);
    members[name] = member;
    count++;
    if (isSame && member !== before?.[name]) isSame = false;
  }
  return isSame && before !== undefined && count === Object.keys(before).length ? like : members;
}

import { isJson, type Json } from './field-set.ts';

/**
 * What arrives at the other end of a wire: a value without what JSON cannot carry. Parts that are equal to those of `like`
 * are these very parts, so that who compares the two by and by finds most of it out at one glance, and nothing is kept twice.
 */
export function received(value: unknown, like: unknown): unknown {
  if (value === like) return like;
  if (Array.isArray(value)) return receivedList(value, Array.isArray(like) ? like : undefined);
  return isJson(value) ? receivedObject(value, isJson(like) ? like : undefined) : value;
}

function receivedList(value: readonly unknown[], like: readonly unknown[] | undefined): unknown {
  const items = value.map((item, index) => received(item, like?.[index]) ?? null);
  const isSame = like?.length === items.length && items.every((item, index) => item === like[index]);
  return isSame ? like : items;
}

function receivedObject(value: Json, like: Json | undefined): unknown {
  const members: Json = {};
  let isSame = like !== undefined;
  let count = 0;
  for (const name in value) {
    const sent = value[name];
    if (sent === undefined) continue;
    const member = received(sent, like?.[name]);
    members[name] = member;
    count++;
    isSame &&= member === like?.[name];
  }
  return isSame && like !== undefined && count === Object.keys(like).length ? like : members;
}

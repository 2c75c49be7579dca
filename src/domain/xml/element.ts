/** One XML element. Its text stands before its children; libvirt's formats never mix the two. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

type AttributeValue = string | number | undefined;
type Child = XmlElement | undefined;

/** Builds an element. Attributes and children that are undefined are left out, so that optional parts read as data. */
export function element(
  name: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  content: string | readonly Child[] = [],
): XmlElement {
  const present = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as const],
  );
  return {
    name,
    attributes: Object.fromEntries(present),
    text: typeof content === 'string' ? content : '',
    children: typeof content === 'string' ? [] : content.filter((child) => child !== undefined),
  };
}

export function childNamed(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return parent?.children.find((child) => child.name === name);
}

export function childrenNamed(parent: XmlElement | undefined, name: string): readonly XmlElement[] {
  return parent?.children.filter((child) => child.name === name) ?? [];
}

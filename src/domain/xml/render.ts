import type { XmlElement } from './element.ts';

/** Text that no XML document can hold, not even escaped, such as a NUL. */
export class XmlTextError extends Error {
  constructor(where: string, codePoint: number) {
    const code = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
    super(`${where} holds the character ${code}, which XML 1.0 cannot carry: remove it`);
    this.name = 'XmlTextError';
  }
}

/**
 * The document of an element, indented.
 * @throws XmlTextError when a text or attribute holds a character outside XML's Char production.
 */
export function renderXml(root: XmlElement): string {
  return `${render(root, '')}\n`;
}

function render(node: XmlElement, indent: string): string {
  const name = checkedName(node.name);
  const attributes = Object.entries(node.attributes).map(
    ([key, value]) => ` ${checkedName(key)}="${escapeXml(value, `Attribute ${key} of <${name}>`)}"`,
  );
  const open = `${indent}<${name}${attributes.join('')}`;
  if (node.children.length > 0) {
    const children = node.children.map((child) => render(child, `${indent}  `));
    return `${open}>\n${children.join('\n')}\n${indent}</${name}>`;
  }
  return node.text === '' ? `${open}/>` : `${open}>${escapeXml(node.text, `Text of <${name}>`)}</${name}>`;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*(:[A-Za-z_][A-Za-z0-9_.-]*)?$/;

/** Names are our own constants; anything else here is a mistake in the program, and must not become markup. */
function checkedName(name: string): string {
  if (!NAME.test(name)) throw new TypeError(`"${name}" is not a name of an XML element or attribute`);
  return name;
}

/*
 * Tab, line feed and carriage return are written as references: in an attribute a parser turns the plain ones into
 * spaces, and a carriage return in text into a line feed (XML 1.0, 2.11 and 3.3.3).
 */
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

function escapeXml(text: string, where: string): string {
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (!isXmlChar(codePoint)) throw new XmlTextError(where, codePoint);
  }
  return text.replace(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** XML 1.0, production 2 (Char). Iterating by code point leaves only lone surrogates in U+D800..U+DFFF. */
function isXmlChar(codePoint: number): boolean {
  if (codePoint < 0x20) return codePoint === 0x9 || codePoint === 0xa || codePoint === 0xd;
  return (codePoint < 0xd800 || codePoint > 0xdfff) && codePoint !== 0xfffe && codePoint !== 0xffff;
}

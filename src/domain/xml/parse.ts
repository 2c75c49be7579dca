import { XMLParser } from 'fast-xml-parser';
import type { XmlElement } from './element.ts';

/** A document that is no well-formed XML, or uses what libvirt never writes (a DOCTYPE). */
export class XmlSyntaxError extends Error {
  constructor(why: string, options?: ErrorOptions) {
    super(`Not the XML of a domain: ${why}`, options);
    this.name = 'XmlSyntaxError';
  }
}

const ATTRIBUTES = ':@';
const TEXT = '#text';
const CDATA = '#cdata';
const PREFIX = '@';

/*
 * Everything stays text: the parser guesses no numbers and resolves no entities. References are decoded below, so that
 * a document can neither declare entities nor make them grow.
 */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: PREFIX,
  parseTagValue: false,
  parseAttributeValue: false,
  cdataPropName: CDATA,
  processEntities: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

/**
 * The root element of a document.
 * @throws XmlSyntaxError
 */
export function parseXml(document: string): XmlElement {
  if (document.includes('<!DOCTYPE')) throw new XmlSyntaxError('it declares a DOCTYPE');
  const [root, ...others] = elementsOf(parsed(document));
  if (root === undefined || others.length > 0) throw new XmlSyntaxError('it has not exactly one root element');
  return root;
}

function parsed(document: string): unknown {
  try {
    return parser.parse(document, true);
  } catch (cause) {
    throw new XmlSyntaxError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The parser's ordered form: a list of `{ <name>: children, ':@': attributes }`, `{ '#text': text }` and CDATA. */
function elementsOf(nodes: unknown): XmlElement[] {
  return recordsOf(nodes).flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ATTRIBUTES && key !== TEXT && key !== CDATA);
    return name === undefined ? [] : [elementOf(name, node)];
  });
}

function elementOf(name: string, node: Readonly<Record<string, unknown>>): XmlElement {
  const content = recordsOf(node[name]);
  const children = elementsOf(content);
  // Between children there is only the indentation.
  const text = children.length > 0 ? '' : content.map(textOf).join('');
  return { name, attributes: attributesOf(node[ATTRIBUTES]), text, children };
}

function textOf(part: Readonly<Record<string, unknown>>): string {
  const text = part[TEXT];
  return typeof text === 'string' ? decode(text) : recordsOf(part[CDATA]).map(rawTextOf).join('');
}

/** Within CDATA nothing is a reference. */
function rawTextOf(part: Readonly<Record<string, unknown>>): string {
  return typeof part[TEXT] === 'string' ? part[TEXT] : '';
}

function attributesOf(attributes: unknown): Record<string, string> {
  if (!isRecord(attributes)) return {};
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key.slice(PREFIX.length), decode(String(value))]),
  );
}

function recordsOf(nodes: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(nodes) ? nodes.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five named references and the numeric ones (XML 1.0, 4.1 and 4.6); an unknown one stays as it is written. */
function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-z]+));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const codePoint = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    return codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : whole;
  });
}

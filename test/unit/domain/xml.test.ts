import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainFacts, domainXml, type Intent, identityOf } from '../../../src/domain/index.ts';
import { element, type XmlElement } from '../../../src/domain/xml/element.ts';
import { parseXml, XmlSyntaxError } from '../../../src/domain/xml/parse.ts';
import { renderXml, XmlTextError } from '../../../src/domain/xml/render.ts';
import { disk, instanceSpec, nic } from '../../builders/virtual-machine-instance.ts';

/** Text as an attacker would choose it: markup, references, quotes, controls that XML can carry. */
const hostileText = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '</name>',
      '"/><disk type="block"/>',
      ']]>',
      '<![CDATA[',
      '<!--',
      '&amp;',
      '&#x3c;',
      "'",
      '\r\n\t',
      '<?x?>',
    ),
    fc
      .array(fc.constantFrom('<', '>', '&', '"', "'", ';', '#', ']', '-', '!', ' ', '\n', 'a'), { maxLength: 12 })
      .map((parts) => parts.join('')),
  )
  .filter((text) => ![...text].some((c) => c < ' ' && !'\t\n\r'.includes(c)) && !/[\uFFFE\uFFFF]/.test(text));

const name = fc.constantFrom('a', 'b', 'ns:c', 'long-name_1.x');

const tree: fc.Arbitrary<XmlElement> = fc.letrec<{ node: XmlElement }>((tie) => ({
  node: fc
    .tuple(
      name,
      fc.dictionary(name, hostileText, { maxKeys: 3 }),
      fc.oneof({ maxDepth: 4 }, hostileText, fc.array(tie('node'), { minLength: 1, maxLength: 3 })),
    )
    .map(([tag, attributes, content]) => element(tag, attributes, content)),
})).node;

/** Everything but the text: where the text came from must not change it. */
function shape(node: XmlElement): unknown {
  return [node.name, Object.keys(node.attributes), node.children.map(shape)];
}

/** The first UTF-16 units of a text; a character cut in two becomes U+FFFD, as the API server would have refused it. */
function head(text: string, units: number): string {
  return text.slice(0, units).toWellFormed();
}

function hostileIntent(text: string): Intent {
  return {
    namespace: text,
    name: text,
    spec: instanceSpec({
      virtualMachineUID: `u${head(text, 60)}`,
      machineType: `q35${head(text, 40)}`,
      restartedAt: head(text, 60),
      disks: [{ ...disk(), path: `/${text}`, serial: `s${head(text, 30)}` }],
      nics: [{ ...nic(), name: 'net' }],
      cloudInit: { instanceID: 'i', hostname: 'h', userData: text },
    }),
  };
}

const hostOf = (text: string) => ({
  virtualization: 'qemu' as const,
  consoleLogPath: `/${text}`,
  seedPath: `/${text}`,
  ports: new Map([['net', { bridge: text, mtuBytes: 1500 }]]),
});

describe('XML', () => {
  it('round-trips every tree', () => {
    fc.assert(
      fc.property(tree, (node) => {
        expect(parseXml(renderXml(node))).toEqual(node);
      }),
      { numRuns: 1000 },
    );
  });

  it('never makes markup of a name, path, label or cloud-init text', () => {
    const plain = shape(parseXml(domainXml(hostileIntent('plain'), hostOf('plain'), 'now')));
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(shape(parseXml(domainXml(hostileIntent(text), hostOf(text), 'now')))).toEqual(plain);
      }),
      { numRuns: 1000, examples: [['𝅘𝅥𝅮'.repeat(40)]] },
    );
  });

  it('gives back the identity it was given, whatever the texts', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const intent = { ...hostileIntent(text), namespace: `n${text}`, name: `v${text}` };
        expect(domainFacts(domainXml(intent, hostOf(text), text)).identity).toEqual(identityOf(intent, text));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0x0, 0x1, 0xb, 0x1f, 0xd800, 0xdfff, 0xfffe, 0xffff])(
    'refuses the character %i, which it cannot carry',
    (code) => {
      const text = String.fromCharCode(code);
      expect(() => renderXml(element('a', {}, text))).toThrow(XmlTextError);
      expect(() => renderXml(element('a', { b: text }))).toThrow(XmlTextError);
    },
  );

  it.each(['a b', 'a>', '', '1', 'a:b:c'])('refuses "%s" as the name of an element or attribute', (wrong) => {
    expect(() => renderXml(element(wrong))).toThrow(TypeError);
    expect(() => renderXml(element('a', { [wrong]: 'x' }))).toThrow(TypeError);
  });

  it('takes CDATA as plain text', () => {
    expect(parseXml('<a><![CDATA[<b>&amp;]]></a>').text).toBe('<b>&amp;');
  });

  it.each([
    ['no root', ''],
    ['two roots', '<a/><b/>'],
    ['an open element', '<a><b></a>'],
    ['a DOCTYPE', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
  ])('refuses a document with %s', (_what, document) => {
    expect(() => parseXml(document)).toThrow(XmlSyntaxError);
  });

  it('never fails on garbage other than with a syntax error', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.string()), (garbage) => {
        try {
          parseXml(`<domain>${garbage}</domain>`);
        } catch (error) {
          expect(error).toBeInstanceOf(XmlSyntaxError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

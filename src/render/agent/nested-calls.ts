import { entriesOf, isFields, jsonIn, jsonOrText, jsonText, memberOf } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import {
  bareText,
  eachArgument,
  type Format,
  jsonObject,
  oneTurn,
  type ParsedCall,
  readBare,
  type Tool,
  takeBlock,
  takeCalls,
} from './format.ts';
import { minimaxResults, minimaxTools } from './invoke-calls.ts';
import { findAll, type Shape } from './scan.ts';
import { join, ownWords, type Written, words, written } from './written.ts';

/** Formats with a notation of their own for values inside values. */

const minimax = ']<]minimax[>[';
const n = ownWords(minimax);

/** Objects and lists become tags; what is null is left out, as in the model's template. */
function inXml(value: TemplateData): Written {
  if (value === null || value === undefined) return words``;
  if (Array.isArray(value)) return join(value.map((item) => words`${n}<item>${inXml(item)}${n}</item>`));
  if (!isFields(value)) return written(bareText(value));
  const members = entriesOf(value).filter(([, member]) => member !== null);
  return join(members.map(([key, member]) => words`${n}<${key}>${inXml(member)}${n}</${key}>`));
}

/** A tag with what stands in it, and the tags in that. */
interface Tagged {
  readonly key: string;
  readonly start: number;
  inner: string;
  readonly members: Tagged[];
}

/** The tags of a text that are closed, each within its own. */
function tagsIn(text: string): readonly Tagged[] {
  const top: Tagged[] = [];
  const open: Tagged[] = [];
  for (const found of text.matchAll(/\]<\]minimax\[>\[<(\/?)([^/!?\s<>]+)>/g)) {
    const [whole, closing, key = ''] = found;
    const last = open.at(-1);
    if (closing === '') open.push({ key, start: found.index + whole.length, inner: '', members: [] });
    else if (last?.key === key) {
      open.pop();
      last.inner = text.slice(last.start, found.index);
      (open.at(-1)?.members ?? top).push(last);
    }
  }
  return top;
}

function fromXml({ inner, members }: Tagged): TemplateData {
  const content = inner.trim();
  if (members.length === 0) return content === '' ? '' : jsonOrText(content);
  if (members.every(({ key }) => key === 'item')) return members.map(fromXml);
  return new Map(members.map((member) => [member.key, fromXml(member)])) as ReadonlyMap<string, TemplateData>;
}

const minimaxBlock: Shape = [`${minimax}<tool_call>`, { hole: 'block' }, `${minimax}</tool_call>`];
const minimaxCall: Shape = [
  `${minimax}<invoke name="`,
  { hole: 'name', run: /[^"<>\n]+/y },
  '">',
  { hole: 'given' },
  `${minimax}</invoke>`,
];

export const minimaxM3: Format = {
  system: (tools, said) => words`${minimaxTools(tools, said)}

To call tools, wrap all invocations in a single ${n}<tool_call>${n}</tool_call> block. Parameter values containing nested objects or arrays are recursively expanded into XML elements. Example:

${n}<tool_call>
${n}<invoke name="tool-name-1">${n}<param-1>value-1${n}</param-1>${n}<param-2>${n}<item>${n}<key-a>val-a${n}</key-a>${n}<key-b>val-b${n}</key-b>${n}</item>${n}</param-2>${n}</invoke>
${n}<invoke name="tool-name-2">${n}<param-1>value-1${n}</param-1>${n}</invoke>
${n}</tool_call>`,
  calls: (calls) =>
    words`${n}<tool_call>\n${join(
      calls.map(
        (call) =>
          words`${n}<invoke name="${call.name}">${isFields(call.arguments) ? inXml(call.arguments) : eachArgument(call, String, '')}${n}</invoke>`,
      ),
      '\n',
    )}\n${n}</tool_call>`,
  results: minimaxResults,
  parse: (answer, tools) =>
    takeCalls(answer, minimaxBlock, {
      read: ({ block = '' }) =>
        findAll(block, minimaxCall).map(({ holes: { name = '', given = '' } }) => ({
          name,
          arguments: jsonObject(
            tagsIn(given).map((tag) => {
              // Only where no tags stand in it may the tool's type say that it is text.
              const place = { tools, call: name, key: tag.key, untyped: 'json' } as const;
              return [tag.key, tag.members.length > 0 ? fromXml(tag) : readBare(tag.inner, place)] as const;
            }),
          ),
        })),
    }),
  opens: [`${minimax}<tool_call>`],
};

const attribute = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
const fromAttribute = (text: string): string => text.replaceAll('&quot;', '"').replaceAll('&amp;', '&');

/** Python sorts by code point. */
function sorted(value: TemplateData): TemplateData {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isFields(value)) return value;
  return new Map(byKey(value).map(([key, member]) => [key, sorted(member)])) as ReadonlyMap<string, TemplateData>;
}

function byKey(fields: Parameters<typeof entriesOf>[0]): (readonly [string, TemplateData])[] {
  return entriesOf(fields).toSorted(([a], [b]) => comparePoints(a, b));
}

function comparePoints(a: string, b: string): number {
  const left = Array.from(a, (sign) => sign.codePointAt(0) ?? 0);
  const right = Array.from(b, (sign) => sign.codePointAt(0) ?? 0);
  const at = left.findIndex((point, index) => point !== right[index]);
  if (at < 0) return left.length - right.length;
  return (left[at] ?? 0) - (right[at] ?? -1);
}

function kimiType(value: TemplateData): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean' || typeof value === 'string') return typeof value;
  if (Array.isArray(value)) return 'array';
  return isFields(value) ? 'object' : 'number';
}

const kimiCall: Shape = [
  '<|open|>call tool="',
  { hole: 'head' },
  '"<|sep|>',
  { hole: 'given' },
  '<|close|>call<|sep|>',
];
const kimiJson: Shape = ['<|open|>json type="object"<|sep|>', { hole: 'given' }, '<|close|>json<|sep|>'];
const kimiArgument: Shape = [
  '<|open|>argument key="',
  { hole: 'key' },
  '" type="',
  { hole: 'type' },
  '"<|sep|>',
  { hole: 'value' },
  '<|close|>argument<|sep|>',
];

/** Kimi's markup: every tag is opened and closed by tokens, and the answer is a channel that calls close. */
export const kimiK3: Format = {
  system: (tools, said) => [
    {
      role: 'system',
      fields: { type: 'tool-declare' },
      content: words`# Tools\nHere are the available tools, described in JSONSchema.\n\n\`\`\`json\n${jsonText(
        sorted(tools.map(({ whole }) => whole)),
        { separators: [',', ':'] },
      )}\n\`\`\``,
    },
    ...(said ? [{ role: 'system', content: words`${said}` }] : []),
  ],
  meet: (said, calls) => words`${said}<|close|>response<|sep|>${calls}`,
  calls: (calls) =>
    words`<|open|>tools<|sep|>${join(
      calls.map((call, index) => {
        const given = isFields(call.arguments)
          ? eachArgument(
              call,
              (key, value) =>
                words`<|open|>argument key="${attribute(key)}" type="${kimiType(value)}"<|sep|>${bareText(value)}<|close|>argument<|sep|>`,
              '',
            )
          : words`<|open|>json type="object"<|sep|>${bareText(call.arguments)}<|close|>json<|sep|>`;
        return words`<|open|>call tool="${attribute(call.name)}" index="${String(index + 1)}"<|sep|>${given}<|close|>call<|sep|>`;
      }),
    )}<|close|>tools<|sep|>`,
  results: (results) =>
    results.map(({ name, content }, index) => ({
      role: 'tool',
      fields: { tool: name, index: index + 1 },
      content: words`${content}`,
    })),
  parse: (answer) =>
    takeBlock(answer, ['<|open|>tools<|sep|>', '<|close|>tools<|sep|>'], {
      around: ['<|close|>response<|sep|>', ''],
      read: (block) =>
        findAll(block, kimiCall).map(({ holes: { head = '', given = '' } }): ParsedCall => {
          const name = fromAttribute(head.replace(/" index="\d+$/, ''));
          const [raw] = findAll(given, kimiJson);
          if (raw) return { name, arguments: jsonText(jsonOrText(raw.holes.given ?? '')) };
          const members = findAll(given, kimiArgument).map(({ holes: { key = '', type, value = '' } }) => {
            const read = type === 'string' ? value : type === 'null' ? null : jsonOrText(value);
            return [fromAttribute(key), read] as const;
          });
          return { name, arguments: jsonObject(members) };
        }),
    }),
  opens: ['<|close|>response<|sep|>', '<|open|>tools<|sep|>'],
};

const quote = '<|"|>';
const q = ownWords(quote);

/** Gemma's notation: strings in quotes of their own, keys in order, and bare where they are names. */
function inGemma(value: TemplateData, quoted: boolean): Written {
  if (typeof value === 'string') return words`${q}${value}${q}`;
  if (Array.isArray(value))
    return words`[${join(
      value.map((item) => inGemma(item, quoted)),
      ',',
    )}]`;
  if (!isFields(value)) return written(jsonText(value ?? null));
  return words`{${join(
    byKey(value).map(([key, member]) => words`${quoted ? words`${q}${key}${q}` : key}:${inGemma(member, quoted)}`),
    ',',
  )}}`;
}

const truthy = (value: TemplateData): boolean =>
  isFields(value) ? entriesOf(value).length > 0 : Array.isArray(value) ? value.length > 0 : Boolean(value);
const inQuotes = (value: TemplateData): Written => words`${q}${String(value)}${q}`;
const quotedList = (value: TemplateData): Written =>
  words`[${join((Array.isArray(value) ? value : []).map(inQuotes), ',')}]`;
const upper = (value: TemplateData): string => (typeof value === 'string' ? value.toUpperCase() : '');

const standardKeys = new Set(['description', 'type', 'properties', 'required', 'nullable']);

function gemmaProperties(properties: TemplateData, only: (key: string) => boolean = () => true): Written {
  const members = (isFields(properties) ? byKey(properties) : []).filter(
    ([key, schema]) => only(key) && isFields(schema),
  );
  return join(
    members.map(([key, schema]) => words`${key}:{${join(gemmaSchema(schema), ',')}}`),
    ',',
  );
}

function gemmaSchema(schema: TemplateData): Written[] {
  const of = (name: string): TemplateData => memberOf(schema, name);
  const type = upper(of('type'));
  const parts: Written[] = [];
  if (truthy(of('description'))) parts.push(words`description:${inQuotes(of('description'))}`);
  if (type === 'STRING' && truthy(of('enum'))) parts.push(words`enum:${inGemma(of('enum'), true)}`);
  if (type === 'ARRAY' && isFields(of('items')) && truthy(of('items')))
    parts.push(words`items:{${join(gemmaItems(of('items')), ',')}}`);
  if (truthy(of('nullable'))) parts.push(words`nullable:true`);
  if (type === 'OBJECT') {
    const inner = isFields(of('properties'))
      ? gemmaProperties(of('properties'))
      : gemmaProperties(schema, (key) => !standardKeys.has(key));
    parts.push(words`properties:{${inner}}`);
    if (truthy(of('required'))) parts.push(words`required:${quotedList(of('required'))}`);
  }
  return [...parts, words`type:${inQuotes(type)}`];
}

function gemmaItems(items: TemplateData): Written[] {
  return (isFields(items) ? byKey(items) : [])
    .filter(([, value]) => value !== null)
    .map(([key, value]) => {
      if (key === 'properties' && isFields(value)) return words`properties:{${gemmaProperties(value)}}`;
      if (key === 'required') return words`required:${quotedList(value)}`;
      if (key === 'type')
        return words`type:${inGemma(Array.isArray(value) ? value.map((each) => String(each).toUpperCase()) : upper(value), true)}`;
      return words`${key}:${inGemma(value, true)}`;
    });
}

function gemmaTool({ body, parameters }: Tool): Written {
  const parts: Written[] = [];
  const properties = memberOf(parameters, 'properties');
  if (truthy(properties)) parts.push(words`properties:{${gemmaProperties(properties)}}`);
  if (truthy(memberOf(parameters, 'required')))
    parts.push(words`required:${quotedList(memberOf(parameters, 'required'))}`);
  if (upper(memberOf(parameters, 'type')) !== '')
    parts.push(words`type:${inQuotes(upper(memberOf(parameters, 'type')))}`);
  const described = parts.length > 0 ? words`,parameters:{${join(parts, ',')}}` : words``;
  const name = String(memberOf(body, 'name') ?? '');
  return words`<|tool>declaration:${name}{description:${inQuotes(memberOf(body, 'description') || '')}${described}}<tool|>`;
}

const gemmaCall: Shape = [
  '<|tool_call>call:',
  { hole: 'name', run: /[^{<]+/y },
  '{',
  { hole: 'given' },
  '}<tool_call|>',
];

export const gemma4: Format = {
  system: (tools, said) => words`${(said ?? '').trim()}${join(tools.map(gemmaTool))}`,
  calls: (calls) =>
    join(
      calls.map((call) => {
        const members = isFields(call.arguments) ? byKey(call.arguments) : [];
        return words`<|tool_call>call:${call.name}{${join(
          members.map(([key, value]) => words`${key}:${inGemma(value, false)}`),
          ',',
        )}}<tool_call|>`;
      }),
    ),
  results: oneTurn(
    'user',
    ({ name, content }) =>
      words`<|tool_response>response:${name === '' ? 'unknown' : name}{value:${inGemma(content, false)}}<tool_response|>`,
    '',
  ),
  parse: (answer) =>
    takeCalls(answer, gemmaCall, {
      read: ({ name = '', given = '' }) => [{ name: name.trim(), arguments: jsonText(fromGemma(`{${given}}`) ?? {}) }],
    }),
  opens: ['<|tool_call>'],
};

/** Strings in Gemma's quotes may hold anything; around them keys get quotes, and the rest is JSON. */
function fromGemma(text: string): TemplateData {
  const parts = text.split(quote);
  const json = parts.map((part, index) =>
    index % 2 === 1 ? JSON.stringify(part) : part.replace(/(?<=[{,])\s*([^\s{},:"[\]]+)(?=:)/g, '"$1"'),
  );
  return jsonIn(json.join(''));
}

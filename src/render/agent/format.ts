import { entriesOf, isFields, jsonIn, jsonOrText, jsonText, memberOf, normalJson } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { type Found, findAll, type Shape } from './scan.ts';
import { join, type Piece, type Written, words, written } from './written.ts';

/** A tool on offer. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: TemplateData;
  /** The function alone, and wrapped as OpenAI writes it. */
  readonly body: TemplateData;
  readonly whole: TemplateData;
}

/** A call that stands in a row. */
export interface Call {
  readonly name: string;
  readonly arguments: TemplateData;
}

/** What a tool gave back. */
export interface Result {
  readonly name: string;
  readonly content: string;
}

/** A call as it was read back from an answer. */
export interface ParsedCall {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/** An answer taken apart: what it says, and the tools it calls. */
export interface ParsedAnswer {
  readonly content: string;
  readonly calls: readonly ParsedCall[];
}

/** A message as a format writes it. */
export interface WrittenTurn {
  readonly role: string;
  readonly content: Written;
  /** Members beside role and content, for a template that prints them. */
  readonly fields?: Readonly<Record<string, TemplateData>>;
}

/** How calls are read out of an answer. */
export interface CallReader {
  /** @param tools whose parameters say what a value is that is written without quotes */
  readonly parse: (answer: string, tools: readonly Tool[]) => ParsedAnswer;
  /** What a call begins with, at the earliest: what streams must not let out before they have seen more. */
  readonly opens: readonly string[];
  /** Special tokens that must stay in an answer for it to be read, beside those that a call is written with. */
  readonly marks?: readonly string[];
}

/** How tools, calls and results are written, and calls read back. */
export interface Format extends CallReader {
  /**
   * What stands in front of the conversation: the system message, or several turns.
   * @param said the system message of the row; undefined where there is none
   */
  readonly system: (tools: readonly Tool[], said: string | undefined) => Written | readonly WrittenTurn[];
  /** The first question, where the tools stand in it. */
  readonly question?: (tools: readonly Tool[], said: string) => Written;
  /** Behind what the assistant says in the same turn. */
  readonly calls: (calls: readonly Call[]) => Written;
  /** How both meet; one behind the other unless given. */
  readonly meet?: (said: string, calls: Written) => Written;
  /** Results that follow one another, as turns. */
  readonly results: (results: readonly Result[]) => readonly WrittenTurn[];
}

export function toolOf(given: TemplateData): Tool {
  const inner = memberOf(given, 'function');
  const body = isFields(inner) ? inner : given;
  return {
    name: textIn(memberOf(body, 'name_for_model') ?? memberOf(body, 'name')),
    description: textIn(memberOf(body, 'description') ?? memberOf(body, 'description_for_model')),
    parameters: memberOf(body, 'parameters') ?? {},
    body,
    whole: body === given ? { type: 'function', function: given } : given,
  };
}

const textIn = (value: TemplateData): string => (value === undefined || value === null ? '' : String(value));

export function callOf(call: TemplateData): Call {
  const inner = memberOf(call, 'function');
  const body = isFields(inner) ? inner : call;
  const given = memberOf(body, 'arguments') ?? {};
  const args = typeof given === 'string' ? jsonOrText(given) : given;
  return { name: textIn(memberOf(body, 'name')), arguments: args };
}

/** The arguments of a call as JSON; text that is none as it stands. */
export const argumentsText = ({ arguments: given }: Call): string =>
  typeof given === 'string' ? (normalJson(given) ?? given) : jsonText(given);

/** A value written without quotes where it is text, as JSON where it is not. */
export const bareText = (value: TemplateData): string => (typeof value === 'string' ? value : jsonText(value));

/** Each argument of a call; arguments that are no object stand as they are. */
export function eachArgument(
  { arguments: given }: Call,
  write: (key: string, value: TemplateData) => Piece,
  between: string,
): Written {
  if (!isFields(given)) return written(bareText(given));
  return join(
    entriesOf(given).map(([key, value]) => write(key, value)),
    between,
  );
}

/** One turn that holds all results. */
export const oneTurn =
  (role: string, write: (result: Result) => Written, between = '\n'): Format['results'] =>
  (results) => [{ role, content: join(results.map(write), between) }];

/** A turn for each result. */
export const ownTurns =
  (role: string, write: (result: Result) => Written): Format['results'] =>
  (results) =>
    results.map((result) => ({ role, content: write(result) }));

/** What the row's system message says, and a blank line, where it says something. */
export const front = (said: string | undefined): Written =>
  said === undefined || said === '' ? words`` : words`${said}\n\n`;

/** Reads what stands in a place that calls are looked for in; nothing where it holds none. */
type ReadCalls = (holes: Found['holes']) => readonly ParsedCall[];

/**
 * Takes the calls out of an answer.
 * @param shape where a call, or several, stand; what the place holds is given to `read`
 * @returns what stands outside of the places that hold calls, and of the words around them
 */
export function takeCalls(
  answer: string,
  ...[shape, { read, around: [open, close] = ['', ''] }]: [
    shape: Shape,
    how: { readonly read: ReadCalls; readonly around?: readonly [open: string, close: string] },
  ]
): ParsedAnswer {
  const calls: ParsedCall[] = [];
  let content = '';
  let at = 0;
  for (const { start, end, holes } of findAll(answer, shape)) {
    const found = read(holes);
    if (found.length === 0) continue;
    const between = answer.slice(at, start);
    // What is between two calls of a block is layout.
    if (calls.length === 0 || between.trim() !== '')
      content += withoutEnd(calls.length === 0 ? between : withoutStart(between, close), open);
    calls.push(...found);
    at = end;
  }
  if (calls.length === 0) return { content: answer, calls };
  return { content: (content + withoutStart(answer.slice(at), close)).trim(), calls };
}

/** The same where all calls stand in one block: from the first mark that opens it to the last that closes it. */
export function takeBlock(
  answer: string,
  ...[[open, close], { read, around: [before, behind] = ['', ''] }]: [
    marks: readonly [open: string, close: string],
    how: { readonly read: (block: string) => readonly ParsedCall[]; readonly around?: readonly [string, string] },
  ]
): ParsedAnswer {
  const start = answer.indexOf(open);
  const end = start < 0 ? -1 : answer.lastIndexOf(close);
  const calls = end < start + open.length ? [] : read(answer.slice(start, end + close.length));
  if (calls.length === 0) return { content: answer, calls };
  const content = withoutEnd(answer.slice(0, start), before) + withoutStart(answer.slice(end + close.length), behind);
  return { content: content.trim(), calls };
}

function withoutEnd(text: string, mark: string): string {
  const said = text.trimEnd();
  return mark !== '' && said.endsWith(mark) ? said.slice(0, -mark.length) : text;
}

function withoutStart(text: string, mark: string): string {
  const said = text.trimStart();
  return mark !== '' && said.startsWith(mark) ? said.slice(mark.length) : text;
}

/** A call from JSON with `name` and its arguments under this key; nothing where it is no such JSON. */
export function readJsonCall(text: string, key = 'arguments'): readonly ParsedCall[] {
  const call = jsonIn(text.trim());
  const name = memberOf(call, 'name');
  const given = memberOf(call, key);
  if (typeof name !== 'string' || given === undefined) return [];
  return [{ name, arguments: typeof given === 'string' ? (normalJson(given) ?? given) : jsonText(given) }];
}

/** Arguments read one by one, as JSON text. */
export const jsonObject = (members: Iterable<readonly [string, TemplateData]>): string =>
  jsonText(new Map(members) as ReadonlyMap<string, TemplateData>);

const pythonWords: Readonly<Record<string, TemplateData>> = { True: true, False: false, None: null };

/**
 * A value written without quotes: by the type that the tool gives the parameter; where it gives none, text or whatever JSON
 * it spells.
 */
export function readBare(
  text: string,
  place: {
    readonly tools: readonly Tool[];
    readonly call: string;
    readonly key: string;
    readonly untyped: 'text' | 'json';
  },
): TemplateData {
  const { tools, call, key, untyped } = place;
  const tool = tools.find(({ name }) => name === call);
  const type = memberOf(memberOf(memberOf(tool?.parameters, 'properties'), key), 'type');
  const types = Array.isArray(type) ? type : [type];
  const spelled = (): TemplateData => {
    const said = text.trim();
    // Templates that print a value as it comes write Python's words.
    if (Object.hasOwn(pythonWords, said)) return pythonWords[said];
    const value = jsonIn(said);
    return value === undefined ? text : value;
  };
  // `null` of a parameter that may be null is no text.
  if (types.includes('string')) return types.includes('null') && text.trim() === 'null' ? null : text;
  return type === undefined && untyped === 'text' ? text : spelled();
}

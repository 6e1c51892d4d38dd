import { Float } from './jinja/value.ts';
import { type ChatMessage, ownWordsOf, type TemplateData } from './messages.ts';
import { parseTemplateData } from './ordered-json.ts';
import { type ChatTemplateProgram, renderRaw } from './template.ts';

type Fields = Readonly<Record<string, TemplateData>>;

/**
 * Messages as serving engines hand them to a template, so that training and serving see the same: what says how to learn
 * is left out, arguments written as JSON text become objects, reasoning stands under each name that templates read
 * (`reasoning_content`, `thinking`), as transformers does, and parts of text become one text, a line each, where the
 * template would print a list as Python spells it, as vLLM does.
 */
export function prepareMessages(messages: readonly ChatMessage[], template: ChatTemplateProgram): Fields[] {
  return messages.map((message) => {
    const own = (message as { readonly [ownWordsOf]?: unknown })[ownWordsOf];
    const fields: Record<string, TemplateData> = own === undefined ? {} : ({ [ownWordsOf]: own } as Fields);
    const given = message as Fields;
    const reasoning = given.reasoning_content ?? given.thinking ?? given.reasoning;
    if (reasoning !== undefined && reasoning !== null) fields.thinking = reasoning;
    for (const [key, value] of Object.entries(given))
      if (key !== 'learn' && key !== 'weight' && value !== undefined) fields[key] = value;
    if (reasoning !== undefined && reasoning !== null) fields.reasoning_content = reasoning;
    if (Array.isArray(given.tool_calls)) fields.tool_calls = given.tool_calls.map(withParsedArguments);
    const texts = textParts(given.content);
    if (texts && !takesParts(template, String(given.role))) fields.content = texts.join('\n');
    return fields;
  });
}

/** The texts of a content that is nothing but parts of text. */
function textParts(content: TemplateData): readonly string[] | undefined {
  if (!Array.isArray(content) || content.length === 0) return undefined;
  const texts = content.flatMap((part) => (isFields(part) && typeof part.text === 'string' ? [part.text] : []));
  return texts.length === content.length ? texts : undefined;
}

const taken = new WeakMap<ChatTemplateProgram, Map<string, boolean>>();

/** Whether the template reads a list of parts of this speaker as it reads the text alone. */
function takesParts(template: ChatTemplateProgram, role: string): boolean {
  const known = taken.get(template) ?? new Map<string, boolean>();
  taken.set(template, known);
  const remembered = known.get(role);
  if (remembered !== undefined) return remembered;
  const text = (content: TemplateData): string | undefined => {
    const user = { role: 'user', content: 'a' };
    const message = { role, content };
    const messages =
      role === 'user' ? [message] : role === 'assistant' || role === 'tool' ? [user, message] : [message, user];
    const rendering = renderRaw({ template, messages, now: new Date(0) });
    return rendering.ok ? rendering.text : undefined;
  };
  const takes = text([{ type: 'text', text: 'b' }]) === text('b');
  known.set(role, takes);
  return takes;
}

function withParsedArguments(call: TemplateData): TemplateData {
  if (!isFields(call)) return call;
  if (isFields(call.function)) return { ...call, function: parsed(call.function) };
  return parsed(call);
}

function parsed(call: Fields): Fields {
  if (typeof call.arguments !== 'string') return call;
  const value = objectIn(call.arguments);
  return value === undefined ? call : { ...call, arguments: value };
}

/** Tools as a template is given them: a definition that is kept as JSON text becomes an object. */
export function prepareTools(tools: readonly TemplateData[] | undefined): readonly TemplateData[] | undefined {
  return tools?.map((tool) => (typeof tool === 'string' ? (objectIn(tool) ?? tool) : tool));
}

/** The object a text spells; undefined where it is no such JSON: then the template gets the text as it is. */
function objectIn(text: string): TemplateData {
  try {
    const value = parseTemplateData(text);
    return isFields(value) || value instanceof Map ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isFields(value: TemplateData): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Float) &&
    !(value instanceof Map)
  );
}

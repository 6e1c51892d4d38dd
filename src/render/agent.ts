import { floatRepr } from './jinja/number.ts';
import { Float } from './jinja/value.ts';
import type { ChatMessage, TemplateData } from './messages.ts';
import { parseTemplateData } from './ordered-json.ts';

/** How tools and calls are written for models whose template has no place for them. */
export type AgentFormat = 'none' | 'react' | 'hermes' | 'qwen';

export interface AgentConversation {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly TemplateData[] | undefined;
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

interface Format {
  /** What the system message ends with. */
  readonly system: (tools: readonly Tool[]) => string;
  readonly call: (name: string, args: string) => string;
  readonly results: (results: readonly string[]) => string;
  readonly parse: (answer: string) => ParsedAnswer;
}

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: string;
  /** The definition as OpenAI writes it. */
  readonly whole: TemplateData;
}

/** The formats by the names that ms-swift has for them (its `react_en`, `hermes` and `qwen_en`). */
const formats: Readonly<Record<Exclude<AgentFormat, 'none'>, Format>> = {
  react: {
    system: (tools) => `Answer the following questions as best you can. You have access to the following tools:

${tools.map(({ name, description, parameters }) => `${name}: Call this tool to interact with the ${name} API. What is the ${name} API useful for? ${description} Parameters: ${parameters} Format the arguments as a JSON object.`).join('\n\n')}

Use the following format:

Question: the input question you must answer
Thought: you should always think about what to do
Action: the action to take, should be one of [${names(tools)}]
Action Input: the input to the action
Observation: the result of the action
... (this Thought/Action/Action Input/Observation can be repeated zero or more times)
Thought: I now know the final answer
Final Answer: the final answer to the original input question

Begin!
`,
    call: (name, args) => `Action: ${name}\nAction Input: ${args}`,
    results: (results) => results.map((result) => `Observation: ${result}`).join('\n'),
    parse: (answer) => parseMarked(answer, { name: 'Action:', args: 'Action Input:', result: 'Observation:' }),
  },
  hermes: {
    system: (tools) => `# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map(({ whole }) => jsonText(whole)).join('\n')}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>`,
    call: (name, args) => `<tool_call>\n{"name": ${jsonText(name)}, "arguments": ${args}}\n</tool_call>`,
    results: (results) => results.map((result) => `<tool_response>\n${result}\n</tool_response>`).join('\n'),
    parse: parseHermes,
  },
  qwen: {
    system: (tools) => `# Tools

## You have access to the following tools:

${tools.map(({ name, description, parameters }) => `### ${name}\n\n${name}: ${description} Parameters: ${parameters} Format the arguments as a JSON object.`).join('\n\n')}

## When you need to call a tool, please insert the following command in your reply, which can be called zero or multiple times according to your needs:

✿FUNCTION✿: The tool to use, should be one of [${names(tools)}]
✿ARGS✿: The input of the tool
✿RESULT✿: Tool results
✿RETURN✿: Reply based on tool results. Images need to be rendered as ![](url)`,
    call: (name, args) => `✿FUNCTION✿: ${name}\n✿ARGS✿: ${args}`,
    results: (results) => results.map((result) => `✿RESULT✿: ${result}`).join('\n'),
    parse: (answer) => parseMarked(answer, { name: '✿FUNCTION✿:', args: '✿ARGS✿:', result: '✿RESULT✿:' }),
  },
};

const names = (tools: readonly Tool[]): string => tools.map(({ name }) => name).join(',');

/**
 * A conversation with its tools written as text: definitions behind the system message, calls behind what the assistant
 * says, results as a turn of the user. `parseAnswer` reads what the model then answers. Unchanged for `none`, and where
 * nothing of it has to do with tools.
 */
export function applyAgent(format: AgentFormat, { messages, tools = [] }: AgentConversation): AgentConversation {
  const concerned = tools.length > 0 || messages.some(({ role, tool_calls: calls }) => role === 'tool' || calls);
  if (format === 'none' || !concerned) return { messages, tools };
  const { system, call, results } = formats[format];
  const written: ChatMessage[] = [];
  let pending: { readonly first: ChatMessage; readonly texts: string[] } | undefined;
  const flush = (): void => {
    if (pending) written.push({ ...without(pending.first), role: 'user', content: results(pending.texts) });
    pending = undefined;
  };
  for (const message of messages) {
    if (message.role === 'tool') {
      pending ??= { first: message, texts: [] };
      pending.texts.push(textOf(message.content));
      continue;
    }
    flush();
    const calls = Array.isArray(message.tool_calls) ? (message.tool_calls as readonly TemplateData[]) : [];
    if (calls.length === 0) written.push(message);
    else {
      const said = textOf(message.content);
      const lines = calls.map((each) => call(...callOf(each)));
      written.push({ ...without(message), content: [...(said === '' ? [] : [said]), ...lines].join('\n') });
    }
  }
  flush();
  if (tools.length === 0) return { messages: written };
  const text = system(tools.map(toolOf));
  const [first] = written;
  if (first?.role !== 'system' && first?.role !== 'developer')
    return { messages: [{ role: 'system', content: text }, ...written] };
  const said = textOf(first.content);
  const together = said === '' ? text : `${said}\n\n${text}`;
  return { messages: [{ ...first, content: together }, ...written.slice(1)] };
}

/** Reads an answer of a model that was given its tools in this format: the seam for serving. */
export function parseAnswer(format: AgentFormat, answer: string): ParsedAnswer {
  return format === 'none' ? { content: answer, calls: [] } : formats[format].parse(answer);
}

function without(message: ChatMessage): Readonly<Record<string, TemplateData>> {
  const { tool_calls: _, tool_call_id: __, name: ___, ...rest } = message as Readonly<Record<string, TemplateData>>;
  return rest;
}

function textOf(content: TemplateData): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (isFields(part) && typeof part.text === 'string' ? part.text : '')).join('');
}

type Fields = Readonly<Record<string, TemplateData>>;

function isFields(value: TemplateData): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Float) &&
    !(value instanceof Map)
  );
}

/** An object whose keys had to keep their order, as one in which they are looked up. */
function fieldsOf(value: TemplateData): TemplateData {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function toolOf(given: TemplateData): Tool {
  const tool = fieldsOf(given);
  const held = isFields(tool) ? fieldsOf(tool.function) : undefined;
  const body = isFields(held) ? held : tool;
  const fields = isFields(body) ? body : {};
  return {
    name: String(fields.name ?? ''),
    description: String(fields.description ?? ''),
    parameters: jsonText(fields.parameters ?? {}),
    whole: body === tool ? { type: 'function', function: given } : given,
  };
}

function callOf(call: TemplateData): [name: string, args: string] {
  const body = isFields(call) && isFields(call.function) ? call.function : call;
  const fields = isFields(body) ? body : {};
  const given = fields.arguments ?? {};
  return [String(fields.name ?? ''), typeof given === 'string' ? (normalJson(given) ?? given) : jsonText(given)];
}

/** The text with the spacing of Python's `json.dumps`; undefined where it is not JSON. */
function normalJson(text: string): string | undefined {
  try {
    return jsonText(parseTemplateData(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function jsonText(value: TemplateData): string {
  if (value === undefined) return 'null';
  if (value instanceof Float) return floatRepr(value.value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(', ')}]`;
  if (!isFields(value) && !(value instanceof Map)) return JSON.stringify(value);
  const members = (value instanceof Map ? [...value] : Object.entries(value)).filter(
    ([, member]) => member !== undefined,
  );
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${jsonText(member)}`).join(', ')}}`;
}

function parseHermes(answer: string): ParsedAnswer {
  const calls: ParsedCall[] = [];
  const content = answer.replace(/<tool_call>(.+?)<\/tool_call>/gs, (whole: string, inside: string) => {
    const call = readCall(inside);
    if (!call) return whole;
    calls.push(call);
    return '';
  });
  return { content: content.trim(), calls };
}

function readCall(text: string): ParsedCall | undefined {
  let fields: TemplateData;
  try {
    fields = fieldsOf(parseTemplateData(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isFields(fields) || typeof fields.name !== 'string') return undefined;
  return { name: fields.name, arguments: jsonText(fields.arguments ?? {}) };
}

function parseMarked(
  answer: string,
  marks: { readonly name: string; readonly args: string; readonly result: string },
): ParsedAnswer {
  const pattern = new RegExp(`(${marks.args}|${marks.name}|${marks.result})`);
  const [content = '', ...parts] = answer.split(pattern);
  const calls: ParsedCall[] = [];
  let name: string | undefined;
  for (let i = 0; i < parts.length; i += 2) {
    const said = (parts[i + 1] ?? '').trim();
    if (parts[i] === marks.name) name = said;
    else if (parts[i] === marks.args && name !== undefined) {
      calls.push({ name, arguments: normalJson(said) ?? said });
      name = undefined;
    }
  }
  return calls.length === 0 ? { content: answer, calls } : { content: content.trim(), calls };
}

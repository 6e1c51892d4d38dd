import { entriesOf, jsonIn, jsonOrText, jsonText, memberOf } from '../json-text.ts';
import {
  argumentsText,
  type Call,
  type Format,
  front,
  oneTurn,
  ownTurns,
  type ParsedCall,
  readJsonCall,
  type Tool,
  takeBlock,
  takeCalls,
} from './format.ts';
import { jsonObjectsIn } from './json-objects.ts';
import { findAll, type Shape } from './scan.ts';
import { join, type Written, words } from './written.ts';

/** Formats in which a call is a JSON object, or its arguments are one. */

const wholeLines = (tools: readonly Tool[]): string => tools.map(({ whole }) => jsonText(whole)).join('\n');

const callJson = (call: Call, key = 'arguments'): string =>
  `{"name": ${jsonText(call.name)}, "${key}": ${argumentsText(call)}}`;

const toolResponse = ({ content }: { readonly content: string }): Written =>
  words`<tool_response>\n${content}\n</tool_response>`;

/** How Qwen and its kin say what the functions are. */
export const functionSignatures = (tools: readonly Tool[]): Written => words`# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${wholeLines(tools)}
</tools>`;

const taggedCall: Shape = ['<tool_call>', { hole: 'call' }, '</tool_call>'];
const readTagged = (block: string): ParsedCall[] =>
  findAll(block, taggedCall).flatMap(({ holes: { call = '' } }) => [...readJsonCall(call)]);

export const hermes: Format = {
  system: (tools, said) => words`${said ?? ''}

${functionSignatures(tools)}

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>`,
  calls: (calls) =>
    join(
      calls.map((call) => words`<tool_call>\n${callJson(call)}\n</tool_call>`),
      '\n',
    ),
  results: oneTurn('user', toolResponse),
  parse: (answer) => takeCalls(answer, taggedCall, { read: ({ call = '' }) => readJsonCall(call) }),
  opens: ['<tool_call>'],
};

const announcedCall: Shape = [
  '<tool_call>',
  { hole: 'name', run: /[^<\n]+/y },
  '\n```json',
  { hole: 'given' },
  '```</tool_call>',
];

/** Hunyuan announces one way to call and writes another; both are read. */
export const hunyuanHermes: Format = {
  system: (tools, said) => words`${front(said)}${functionSignatures(tools)}

For function call returns, you should first print <tool_calls>For each function call, you should return object like:
<tool_call>function_name
\`\`\`json
function_arguments_in_json_format
\`\`\`</tool_call>At the end of function call returns, you should print </tool_calls>`,
  calls: (calls) => words`<tool_calls>\n${hermes.calls(calls)}\n</tool_calls>`,
  results: (results) => [
    {
      role: 'user',
      content: words`<tool_responses>${join(
        results.map(({ content }) => words`<tool_response>${content}</tool_response>`),
        '\n',
      )}</tool_responses>`,
    },
  ],
  parse: (answer) =>
    takeBlock(answer, ['<tool_call>', '</tool_call>'], {
      around: ['<tool_calls>', '</tool_calls>'],
      read: (block) => {
        const announced = findAll(block, announcedCall).map(({ holes: { name = '', given = '' } }) => ({
          name,
          arguments: jsonText(jsonOrText(given.trim())),
        }));
        return announced.length > 0 ? announced : readTagged(block);
      },
    }),
  opens: ['<tool_calls>', '<tool_call>'],
};

export const youtu: Format = {
  system: (tools, said) => words`${front(said)}<|begin_of_tool_description|>Tool calling capabilities.
You may call one or more functions to assist with the user query. You have the following functions available:
${join(
  tools.map(({ whole }) => words`\`\`\`json\n${jsonText(whole)}\n\`\`\``),
  '\n',
)}
For tool call returns, you MUST use the following format:
<tool_call>{"name": "function-name", "arguments": {"param1": "value1", "param2": "value2"}}</tool_call>
<|end_of_tool_description|>`,
  calls: (calls) => join(calls.map((call) => words`<tool_call>${callJson(call)}</tool_call>`)),
  results: oneTurn('user', ({ content }) => words`<tool_response>${content}</tool_response>`),
  parse: hermes.parse,
  opens: hermes.opens,
};

export const mistral: Format = {
  system: (tools, said) =>
    words`${said ?? ''}[AVAILABLE_TOOLS]${tools.map(({ whole }) => jsonText(whole)).join(' ')}[/AVAILABLE_TOOLS]`,
  calls: (calls) =>
    words`[TOOL_CALLS][\n${join(
      calls.map((call) => callJson(call)),
      '\n',
    )}\n]`,
  results: oneTurn('user', ({ content }) => words`[TOOL_RESULTS]${jsonText({ content })}[/TOOL_RESULTS]`),
  parse: (answer) =>
    takeBlock(answer, ['[TOOL_CALLS]', ']'], {
      around: ['', '</s>'],
      read: (block) => {
        const inside = block.slice('[TOOL_CALLS]'.length).trimStart();
        if (!inside.startsWith('[')) return [];
        // A list as Mistral's own models write it, or an object a line.
        const listed = jsonIn(inside);
        const lines = Array.isArray(listed)
          ? listed.map((call) => jsonText(call))
          : inside.slice(1, -1).trim().split('\n');
        return lines.flatMap((line) => [...readJsonCall(line)]);
      },
    }),
  opens: ['[TOOL_CALLS]'],
};

/** The tools stand in the first question. */
export const llama3: Format = {
  system: (_, said) => words`${said ?? ''}`,
  question: (
    tools,
    said,
  ) => words`Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.

Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}. Do not use variables.

${tools.map(({ whole }) => jsonText(whole, { indent: 4 })).join('\n\n')}

${said}`,
  calls: (calls) =>
    join(
      calls.map((call) => callJson(call, 'parameters')),
      '\n',
    ),
  results: ownTurns('tool', ({ content }) => words`${content}`),
  parse: (answer) => {
    const calls: ParsedCall[] = [];
    let content = '';
    let at = 0;
    for (const { start, end, keys } of jsonObjectsIn(answer)) {
      if (start < at || !keys.get('name') || !keys.has('parameters')) continue;
      calls.push(...readJsonCall(answer.slice(start, end), 'parameters'));
      content += answer.slice(at, start);
      at = end;
    }
    content += answer.slice(at);
    const left = content.replace(/<\|eom_id\|>|<\|eom\|>|<\|python_tag\|>/g, '').trim();
    return calls.length > 0 ? { content: left, calls } : { content: answer, calls };
  },
  opens: ['{'],
};

const glmTools = (tools: readonly Tool[]): Written => words`# 可用工具

${join(
  tools.map(({ name, body }) => {
    return words`## ${name}\n\n${jsonText(body, { indent: 4 })}\n在调用上述函数时，请使用 Json 格式表示调用的参数。`;
  }),
  '\n',
)}`;

/** The first line with an object below it that lasts to the end. */
function lineBeforeObject(turn: string): { readonly start: number; readonly end: number } | undefined {
  if (!turn.trimEnd().endsWith('}')) return undefined;
  for (let end = turn.indexOf('\n{'); end >= 0; end = turn.indexOf('\n{', end + 1)) {
    const start = end === 0 ? 0 : turn.lastIndexOf('\n', end - 1) + 1;
    if (start < end && !/[`{}]/.test(turn.slice(start, end))) return { start, end: end + 1 };
  }
  return undefined;
}

/** A call is a line with the name, and the arguments below; `<|observation|>` ends the turn. */
export const glm4: Format = {
  system: (tools, said) => words`${front(said)}${glmTools(tools)}`,
  calls: (calls) =>
    join(
      calls.map((call) => words`${call.name}\n${argumentsText(call)}`),
      '<|assistant|>',
    ),
  results: ownTurns('observation', ({ content }) => words`${content}`),
  parse: (answer, tools) => {
    const calls: ParsedCall[] = [];
    const said = answer.replace('<|observation|>', '').split('<|assistant|>');
    const content = said.map((turn) => {
      const found = lineBeforeObject(turn);
      const args = found && jsonIn(turn.slice(found.end).trimEnd());
      if (!found || args === undefined) return turn;
      // What is said stands right before the name: only the tools on offer tell where it ends.
      const line = turn.slice(found.start, found.end).trim();
      const known = tools.map(({ name }) => name).filter((name) => line.endsWith(name));
      const name = known.toSorted((a, b) => b.length - a.length)[0] ?? line;
      calls.push({ name, arguments: jsonText(args) });
      return turn.slice(0, found.start) + line.slice(0, -name.length);
    });
    return calls.length > 0 ? { content: content.join('').trim(), calls } : { content: answer, calls };
  },
  // Nothing tells a name from what is said, until the arguments follow.
  opens: [''],
};

export const chatglm4: Format = {
  ...glm4,
  system: (tools, said) =>
    words`${front(said)}你是一个名为 GLM-4 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n${glmTools(tools)}`,
};

const deepseekCall: Shape = [
  '<｜tool▁call▁begin｜>',
  { hole: 'name' },
  '<｜tool▁sep｜>',
  { hole: 'given' },
  '<｜tool▁call▁end｜>',
];

export const deepseekV31: Format = {
  system: (tools, said) => words`${said ?? ''}

## Tools
You have access to the following tools:

${join(
  tools.map(({ name, description, parameters }) => {
    return words`### ${name}\nDescription: ${description}\n\nParameters: ${jsonText(parameters)}`;
  }),
  '\n\n',
)}

IMPORTANT: ALWAYS adhere to this exact format for tool use:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments<｜tool▁call▁end｜>{additional_tool_calls}<｜tool▁calls▁end｜>

Where:
- \`tool_call_name\` must be an exact match to one of the available tools
- \`tool_call_arguments\` must be valid JSON that strictly follows the tool's Parameters Schema
- For multiple tool calls, chain them directly without separators or spaces`,
  calls: (calls) =>
    words`<｜tool▁calls▁begin｜>${join(
      calls.map(
        (call) => words`<｜tool▁call▁begin｜>${call.name}<｜tool▁sep｜>${argumentsText(call)}<｜tool▁call▁end｜>`,
      ),
    )}<｜tool▁calls▁end｜>`,
  results: oneTurn('user', ({ content }) => words`<｜tool▁output▁begin｜>${content}<｜tool▁output▁end｜>`, ''),
  parse: (answer) =>
    takeBlock(answer, ['<｜tool▁call▁begin｜>', '<｜tool▁call▁end｜>'], {
      around: ['<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>'],
      read: (block) =>
        findAll(block, deepseekCall).flatMap(({ holes: { name = '', given = '' } }) => {
          const args = jsonIn(given.trim());
          return args === undefined ? [] : [{ name: name.trim(), arguments: jsonText(args) }];
        }),
    }),
  opens: ['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>'],
};

const scriptTypes: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  array: 'any[]',
  object: 'object',
  null: 'null',
};

const kimiCall: Shape = [
  '<|tool_call_begin|>',
  { hole: 'id' },
  '<|tool_call_argument_begin|>',
  { hole: 'given' },
  '<|tool_call_end|>',
];

/** The tools as a namespace of TypeScript, in a turn of their own; a call is known by name and number. */
export const kimiK25: Format = {
  system: (tools, said) => [
    {
      role: 'tool_declare',
      content: words`# Tools\n\n## functions\nnamespace functions {\n${join(tools.map(inTypeScript), '\n')}\n}\n`,
    },
    ...(said ? [{ role: 'system', content: words`${said}` }] : []),
  ],
  calls: (calls) =>
    words`<|tool_calls_section_begin|>${join(
      calls.map((call, index) => {
        return words`<|tool_call_begin|>functions.${call.name}:${String(index)}<|tool_call_argument_begin|>${argumentsText(call)}<|tool_call_end|>`;
      }),
    )}<|tool_calls_section_end|>`,
  results: (results) =>
    results.map(({ name, content }, index) => ({
      role: 'tool',
      content: words`## Return of functions.${name}:${String(index)}\n${content}`,
    })),
  parse: (answer) =>
    takeBlock(answer, ['<|tool_call_begin|>', '<|tool_call_end|>'], {
      around: ['<|tool_calls_section_begin|>', '<|tool_calls_section_end|>'],
      read: (block) =>
        findAll(block, kimiCall).map(({ holes: { id = '', given = '' } }) => ({
          name: id
            .trim()
            .replace(/^functions\.(?=.)/s, '')
            .replace(/(?<=.):\d+$/s, ''),
          arguments: jsonText(jsonOrText(given.trim())),
        })),
    }),
  opens: ['<|tool_calls_section_begin|>', '<|tool_call_begin|>'],
};

function inTypeScript({ name, description, parameters }: Tool): Written {
  const properties = memberOf(parameters, 'properties');
  const members = properties === undefined || properties === null ? [] : entriesOf(properties as never);
  const says = description === '' ? [] : [words`// ${description}`];
  if (members.length === 0) return join([...says, words`type ${name} = (_: {}) => any;`], '\n');
  const lines = members.flatMap(([key, schema], index) => {
    const about = memberOf(schema, 'description');
    const type = scriptTypes[String(memberOf(schema, 'type') ?? '')] ?? 'any';
    const comma = index < members.length - 1 ? words`,` : words``;
    return [...(about ? [words`  // ${String(about)}`] : []), words`  ${key}: ${type}${comma}`];
  });
  return join([...says, words`type ${name} = (_: {`, ...lines, words`}) => any;`], '\n');
}

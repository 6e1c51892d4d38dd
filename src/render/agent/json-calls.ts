import { entriesOf, jsonIn, jsonOrText, jsonText, memberOf } from '../json-text.ts';
import {
  argumentsText,
  type Call,
  type Format,
  front,
  groupsOf,
  oneTurn,
  ownTurns,
  type ParsedCall,
  readJsonCall,
  type Tool,
  takeOut,
} from './format.ts';
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

const taggedCall = /<tool_call>(?<call>.+?)<\/tool_call>/gs;
const readTagged = (block: string): ParsedCall[] =>
  groupsOf(block, taggedCall).flatMap(({ call = '' }) => [...readJsonCall(call)]);

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
  parse: (answer) => takeOut(answer, taggedCall, readTagged),
  opens: ['<tool_call>'],
};

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
    takeOut(answer, /(?:<tool_calls>)?\s*<tool_call>.+<\/tool_call>\s*(?:<\/tool_calls>)?/gs, (block) => {
      const announced = groupsOf(block, /<tool_call>(?<name>[^<\n]+)\n```json(?<given>.+?)```<\/tool_call>/gs);
      const calls = announced.map(({ name = '', given = '' }) => ({
        name,
        arguments: jsonText(jsonOrText(given.trim())),
      }));
      return calls.length > 0 ? calls : readTagged(block);
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
    takeOut(answer, /\[TOOL_CALLS\]\s*\[.*\](?:<\/s>)?/gs, (block) => {
      const inside = block.slice(block.indexOf('[', 1), block.lastIndexOf(']') + 1);
      // A list as Mistral's own models write it, or an object a line.
      const listed = jsonIn(inside);
      const lines = Array.isArray(listed)
        ? listed.map((call) => jsonText(call))
        : inside.slice(1, -1).trim().split('\n');
      return lines.flatMap((line) => [...readJsonCall(line)]);
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
    for (let at = 0; at < answer.length; ) {
      const object = answer[at] === '{' ? balanced(answer, at) : undefined;
      const found = object === undefined ? [] : readJsonCall(object, 'parameters');
      calls.push(...found);
      if (found.length === 0) content += answer[at];
      at += found.length === 0 ? 1 : (object?.length ?? 1);
    }
    const left = content.replace(/<\|eom_id\|>|<\|eom\|>|<\|python_tag\|>/g, '').trim();
    return calls.length > 0 ? { content: left, calls } : { content: answer, calls };
  },
  opens: ['{'],
};

/** The object that begins here, up to the brace that closes it outside of strings. */
function balanced(text: string, start: number): string | undefined {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const sign = text[at];
    if (quoted && sign === '\\') at++;
    else if (sign === '"') quoted = !quoted;
    else if (!quoted && sign === '{') depth++;
    else if (!quoted && sign === '}' && --depth === 0) return text.slice(start, at + 1);
  }
  return undefined;
}

const glmTools = (tools: readonly Tool[]): Written => words`# 可用工具

${join(
  tools.map(({ name, body }) => {
    return words`## ${name}\n\n${jsonText(body, { indent: 4 })}\n在调用上述函数时，请使用 Json 格式表示调用的参数。`;
  }),
  '\n',
)}`;

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
    const content = said.map((turn) =>
      turn.replace(/(?<=^|\n)(?<line>[^\n`{}]+)\n(?<given>\{.*\})\s*$/s, (whole, line: string, given: string) => {
        const args = jsonIn(given);
        if (args === undefined) return whole;
        // What is said stands right before the name: only the tools on offer tell where it ends.
        const known = tools.map(({ name }) => name).filter((name) => line.trim().endsWith(name));
        const name = known.toSorted((a, b) => b.length - a.length)[0] ?? line.trim();
        calls.push({ name, arguments: jsonText(args) });
        return line.trim().slice(0, -name.length);
      }),
    );
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
    takeOut(
      answer,
      /(?:<｜tool▁calls▁begin｜>)?<｜tool▁call▁begin｜>.*<｜tool▁call▁end｜>(?:<｜tool▁calls▁end｜>)?/gs,
      (block) =>
        groupsOf(block, /<｜tool▁call▁begin｜>(?<name>.*?)<｜tool▁sep｜>(?<given>.*?)<｜tool▁call▁end｜>/gs).flatMap(
          ({ name = '', given = '' }) => {
            const args = jsonIn(given.trim());
            return args === undefined ? [] : [{ name: name.trim(), arguments: jsonText(args) }];
          },
        ),
    ),
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
    takeOut(
      answer,
      /(?:<\|tool_calls_section_begin\|>)?<\|tool_call_begin\|>.*<\|tool_call_end\|>(?:<\|tool_calls_section_end\|>)?/gs,
      (block) =>
        groupsOf(
          block,
          /<\|tool_call_begin\|>(?<id>.*?)<\|tool_call_argument_begin\|>(?<given>.*?)<\|tool_call_end\|>/gs,
        ).map(({ id = '', given = '' }) => ({
          name: /^(?:functions\.)?(.+?)(?::\d+)?$/s.exec(id.trim())?.[1] ?? id.trim(),
          arguments: jsonText(jsonOrText(given.trim())),
        })),
    ),
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

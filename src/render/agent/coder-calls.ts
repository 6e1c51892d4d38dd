import { entriesOf, isFields, jsonText, memberOf } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { bareText, type Format, oneTurn, ownTurns, type Tool } from './format.ts';
import { apart, holes, parameterFormat, type Tags, toolResponseLines } from './parameter-tags.ts';
import { space } from './scan.ts';
import { join, type Written, words } from './written.ts';

/** Formats whose tags name the function and its parameters behind an equals sign. */

const { name, parameters, key, value } = holes;

const coderReminder = words`</tools>

If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the function call, but NOT after
- If there is no function call available, answer the question like normal with your current knowledge and do not tell the user about function calls
</IMPORTANT>`;

const coderTags: Tags = {
  call: (name, parameters) => words`<tool_call>\n<function=${name}>\n${parameters}</function>\n</tool_call>`,
  parameter: (key, value) => words`<parameter=${key}>\n${bareText(value)}\n</parameter>\n`,
  betweenParameters: '',
  betweenCalls: '\n',
  readCall: ['<tool_call>', space, '<function=', name, '>', parameters, '</function>', space, '</tool_call>'],
  readParameter: ['<parameter=', key, '>', value, '</parameter>'],
  unwrap: (text) => text.replace(/^\n/, '').replace(/\n$/, ''),
  untyped: 'text',
};

export const qwen3Coder = parameterFormat(coderTags, {
  system: (tools, said) =>
    words`${said ?? words`You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks.`}

# Tools

You have access to the following functions:

<tools>
${join(tools.map(inTags), '\n')}
${coderReminder}`,
  meet: apart('\n\n'),
  results: oneTurn('user', ({ content }) => words`<tool_response>\n${content}\n</tool_response>\n`, ''),
  opens: ['<tool_call>'],
});

/** A tool in tags; what has no tag of its own is JSON in one of its name. */
function inTags({ body }: Tool): Written {
  const name = String(memberOf(body, 'name') ?? '');
  const description = memberOf(body, 'description');
  const parameters = memberOf(body, 'parameters');
  const properties = memberOf(parameters, 'properties');
  const known = isFields(properties) ? entriesOf(properties) : [];
  return words`<function>\n<name>${name}</name>${described(description)}\n<parameters>${join(
    known.map(([key, schema]) => {
      const type = memberOf(schema, 'type');
      const typed =
        type === undefined ? words`` : words`\n<type>${typeof type === 'string' ? type : jsonText(type)}</type>`;
      const about = described(memberOf(schema, 'description'));
      return words`\n<parameter>\n<name>${key}</name>${typed}${about}${others(schema, ['name', 'type', 'description'])}\n</parameter>`;
    }),
  )}${others(parameters, ['type', 'properties'])}\n</parameters>${others(body, ['type', 'name', 'description', 'parameters'])}\n</function>`;
}

const described = (text: TemplateData): Written =>
  text === undefined ? words`` : words`\n<description>${String(text).trim()}</description>`;

const others = (value: TemplateData, handled: readonly string[]): Written =>
  join(
    (isFields(value) ? entriesOf(value) : [])
      .filter(([key]) => !handled.includes(key))
      .map(([key, member]) => words`\n<${key}>${jsonText(member)}</${key}>`),
  );

export const qwen35: Format = {
  ...qwen3Coder,
  system: (tools, said) => words`# Tools

You have access to the following functions:

<tools>
${tools.map(({ whole }) => jsonText(whole)).join('\n')}
${coderReminder}${said ? words`\n\n${said}` : words``}`,
  // As Qwen's template: what is said is what stands behind the reasoning.
  meet: (said, calls) => {
    const spoken = said.split('</think>').at(-1) ?? '';
    return spoken.trim() === '' ? words`${said}${calls}` : words`${said}\n\n${calls}`;
  },
  results: oneTurn('user', toolResponseLines),
};

const pythonTypes: Readonly<Record<string, string>> = {
  string: 'str',
  number: 'int',
  integer: 'int',
  boolean: 'bool',
  array: 'list',
};
const pythonType = (schema: TemplateData): string => pythonTypes[String(memberOf(schema, 'type') ?? 'any')] ?? 'Any';

export const seedOss = parameterFormat(
  {
    call: (name, parameters) =>
      words`<seed:tool_call>\n<function=${name}>\n${parameters}</function>\n</seed:tool_call>`,
    parameter: (key, value) => words`<parameter=${key}>${bareText(value)}</parameter>\n`,
    betweenParameters: '',
    betweenCalls: '\n',
    readCall: [
      '<seed:tool_call>',
      space,
      '<function=',
      name,
      '>',
      parameters,
      '</function>',
      space,
      '</seed:tool_call>',
    ],
    readParameter: ['<parameter=', key, '>', value, '</parameter>'],
    untyped: 'text',
  },
  {
    system: (tools, said) => [
      {
        role: 'system',
        content: words`You are Doubao, a helpful AI assistant. You may call one or more functions to assist with the user query.

${join(tools.map(inPython), '\n\n')}
工具调用请遵循如下格式:
<seed:tool_call>
<function=example_function_name>
<parameter=example_parameter_1>value_1</parameter>
<parameter=example_parameter_2>This is the value for the second parameter
that can span
multiple lines</parameter>
</function>
</seed:tool_call>
`,
      },
      { role: 'system', content: words`${said ?? ''}` },
    ],
    results: ownTurns('tool', ({ content }) => words`${content}`),
    opens: ['<seed:tool_call>'],
  },
);

/** A tool as a function of Python with its docstring. */
function inPython({ name, description, parameters, body }: Tool): Written {
  const schemas = (holder: TemplateData): (readonly [string, TemplateData])[] => {
    const properties = memberOf(holder, 'properties');
    return isFields(properties) ? entriesOf(properties).filter(([, schema]) => isFields(schema)) : [];
  };
  const required = memberOf(parameters, 'required');
  const about = (schema: TemplateData): string => String(memberOf(schema, 'description') ?? '');
  const args = schemas(parameters);
  const returned = schemas(memberOf(body, 'returns'));
  const lines = [
    words`    """`,
    words`    ${description.trim()}`,
    ...(args.length > 0 ? [words`\n    Args:`] : []),
    ...args.map(([key, schema]) => {
      const needed = Array.isArray(required) && required.includes(key) ? words`[必填]` : words`[选填]`;
      return words`    - ${key} (${pythonType(schema)}) ${needed}: ${about(schema)}`;
    }),
    ...(returned.length > 0 ? [words`\n    Returns:`] : []),
    ...returned.map(([key, schema]) => words`    - ${key} (${pythonType(schema)}): ${about(schema)}`),
    words`\n    """`,
  ];
  const signature = args.map(([key, schema]) => `${key}: ${pythonType(schema)}`).join(',');
  return words`Function:\ndef ${name}(${signature}):\n${join(lines, '\n')}`;
}

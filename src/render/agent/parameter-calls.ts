import { entriesOf, isFields, jsonText, memberOf } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { bareText, type Format, front, oneTurn, ownTurns, type Tool } from './format.ts';
import { functionSignatures } from './json-calls.ts';
import { apart, parameterFormat, type Tags, toolResponse, toolResponseLines } from './parameter-tags.ts';
import { join, ownWords, type Written, words } from './written.ts';

/** Formats in which each argument of a call stands between tags of its own. */

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
  readCall: /<tool_call>\s*<function=(?<name>[^>]+)>(?<parameters>.*?)<\/function>\s*<\/tool_call>/gs,
  readParameter: /<parameter=(?<key>[^>]+)>\n?(?<value>.*?)\n?<\/parameter>/gs,
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
    readCall: /<seed:tool_call>\s*<function=(?<name>[^>]+)>(?<parameters>.*?)<\/function>\s*<\/seed:tool_call>/gs,
    readParameter: /<parameter=(?<key>[^>]+)>(?<value>.*?)<\/parameter>/gs,
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

export const minimaxM2 = parameterFormat(
  {
    call: (name, parameters) => words`<invoke name="${name}">\n${parameters}\n</invoke>`,
    parameter: (key, value) => words`<parameter name="${key}">${bareText(value)}</parameter>`,
    betweenParameters: '\n',
    betweenCalls: '\n',
    around: ['<minimax:tool_call>\n', '\n</minimax:tool_call>'],
    readCall: /<invoke name="(?<name>[^"]+)">(?<parameters>.*?)<\/invoke>/gs,
    readParameter: /<parameter name="(?<key>[^"]+)">(?<value>.*?)<\/parameter>/gs,
    untyped: 'json',
  },
  {
    system: (tools, said) => words`${said ?? ''}

# Tools
You may call one or more tools to assist with the user query.
Here are the tools available in JSONSchema format:

<tools>
${join(
  tools.map(({ body }) => words`<tool>${jsonText(body)}</tool>`),
  '\n',
)}
</tools>

When making tool calls, use XML format to invoke tools and pass parameters:

<minimax:tool_call>
<invoke name="tool-name-1">
<parameter name="param-key-1">param-value-1</parameter>
<parameter name="param-key-2">param-value-2</parameter>
...
</invoke>
</minimax:tool_call>`,
    results: oneTurn('tool', ({ content }) => words`<response>${content}</response>`),
    opens: ['<minimax:tool_call>'],
  },
);

const needsCdata = /[<&\n]/;

export const minicpm5 = parameterFormat(
  {
    call: (name, parameters) => words`<function name="${name}">${parameters}</function>`,
    parameter: (key, value) => {
      const text = bareText(value);
      const shown = typeof value === 'string' && needsCdata.test(value) ? words`<![CDATA[${text}]]>` : text;
      return words`<param name="${key}">${shown}</param>`;
    },
    betweenParameters: '',
    betweenCalls: '\n',
    readCall: /<function\s+name="(?<name>[^"]+)">(?<parameters>.*?)<\/function>/gs,
    readParameter: /<param\s+name="(?<key>[^"]+)">(?:<!\[CDATA\[)?(?<value>.*?)(?:\]\]>)?<\/param>/gs,
    untyped: 'json',
  },
  {
    system: (tools, said) => words`${front(said)}# Tools

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map(({ whole }) => jsonText(whole)).join('\n')}
</tools>

Tool usage guidelines:
- You may call zero or more functions. If no function calls are needed, just answer normally and do not include any <function ... </function>.
- When calling a function, return an XML object within <function ... </function> using:
<function name="function-name"><param name="param-name">param-value</param></function>
- param-value may be multi-line. If it contains <, & or newline characters, wrap it in a CDATA block: <param name="param-name"><![CDATA[...multi-line value...]]></param>`,
    results: oneTurn('user', toolResponseLines),
    opens: ['<function name="'],
  },
);

/** DeepSeek's markup: `tag` stands behind the bracket of each tag. */
function deepseek(tag: string, calls: string, system: (text: Written, said: string | undefined) => Written): Format {
  const t = ownWords(tag);
  const c = ownWords(calls);
  return parameterFormat(
    {
      call: (name, parameters) => words`<${t}invoke name="${name}">\n${parameters}\n</${t}invoke>`,
      parameter: (key, value) =>
        words`<${t}parameter name="${key}" string="${typeof value === 'string' ? 'true' : 'false'}">${bareText(value)}</${t}parameter>`,
      betweenParameters: '\n',
      betweenCalls: '\n',
      around: [`<${tag}${calls}>\n`, `\n</${tag}${calls}>`],
      readCall: new RegExp(`<${tag}invoke\\s+name="(?<name>[^"]+)">(?<parameters>.*?)</${tag}invoke>`, 'gs'),
      readParameter: new RegExp(
        `<${tag}parameter\\s+name="(?<key>[^"]+)"\\s+string="(?<kind>true|false)">(?<value>.*?)</${tag}parameter>`,
        'gs',
      ),
      untyped: 'json',
    },
    {
      system: (tools, said) =>
        system(
          words`## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<${t}${c}>" block like the following:

<${t}${c}>
<${t}invoke name="$TOOL_NAME">
<${t}parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</${t}parameter>
...
</${t}invoke>
<${t}invoke name="$TOOL_NAME2">
...
</${t}invoke>
</${t}${c}>

String parameters should be specified as is and set \`string="true"\`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set \`string="false"\`.

If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside <think>...</think> BEFORE any tool calls or final response.

Otherwise, output directly after </think> with tool calls or final response.

### Available Tool Schemas

${tools.map(({ body }) => jsonText(body)).join('\n')}

You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.
`,
          said,
        ),
      meet: (said, written) => words`${said}\n\n${written}`,
      results: oneTurn('user', ({ content }) => words`<tool_result>${content}</tool_result>`, '\n\n'),
      opens: [`<${tag}${calls}>`, `<${tag}invoke`],
    },
  );
}

export const deepseekV4 = deepseek('｜DSML｜', 'tool_calls', (text, said) => words`${front(said)}${text}`);
export const deepseekV41 = deepseek('｜DSML｜ ', 'calls', (text, said) => words`${said ?? ''}\n\n${text}`);

/** Name, then keys and values in tags; what stands between the pieces of a call tells the formats apart. */
function keyed(layout: {
  readonly key: string;
  readonly value: string;
  readonly behindName: string;
  readonly betweenPair: string;
  readonly behindPair: string;
  readonly atEnd: string;
  readonly betweenCalls: string;
}): Tags {
  const { key: k, value: v, behindName, betweenPair, behindPair, atEnd, betweenCalls } = layout;
  return {
    call: (name, parameters) =>
      words`<tool_call>${name}${ownWords(behindName)}${parameters}${ownWords(atEnd)}</tool_call>`,
    parameter: (key, value) =>
      words`<${ownWords(k)}>${key}</${ownWords(k)}>${ownWords(betweenPair)}<${ownWords(v)}>${bareText(value)}</${ownWords(v)}>${ownWords(behindPair)}`,
    betweenParameters: '',
    betweenCalls,
    readCall: /<tool_call>\s*(?<name>[^\n<]+)(?<parameters>.*?)<\/tool_call>/gs,
    readParameter: new RegExp(`<${k}>(?<key>.*?)</${k}>\\s*<${v}>(?<value>.*?)</${v}>`, 'gs'),
    untyped: 'text',
  };
}

const argTags = { key: 'arg_key', value: 'arg_value' };
const bare = { behindName: '', betweenPair: '', behindPair: '', atEnd: '', betweenCalls: '' };
const lines = { ...bare, behindName: '\n', betweenPair: '\n', behindPair: '\n', betweenCalls: '\n' };

/** The system message of the row stands in a turn of its own, behind the tools. */
const glmSystem =
  (opening: Written, example: Written, describe: (tool: Tool) => TemplateData): Format['system'] =>
  (tools, said) => {
    const text = words`# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map((tool) => jsonText(describe(tool))).join('\n')}
</tools>

For each function call, output the function name and arguments within the following XML format:
${example}`;
    const alone = said === undefined || said.trim() === '';
    const tool = { role: 'system', content: alone ? words`${opening}${text}` : text };
    return alone ? [tool] : [tool, { role: 'system', content: words`${said.trim()}` }];
  };

const glm45Example = words`<tool_call>{function-name}
<arg_key>{arg-key-1}</arg_key>
<arg_value>{arg-value-1}</arg_value>
<arg_key>{arg-key-2}</arg_key>
<arg_value>{arg-value-2}</arg_value>
...
</tool_call>`;
const glm47Example = words`<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value><arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...</tool_call>`;

export const glm45 = parameterFormat(keyed({ ...argTags, ...lines }), {
  system: glmSystem(words``, glm45Example, ({ whole }) => whole),
  meet: apart('\n'),
  results: oneTurn('observation', ({ content }) => words`\n<tool_response>\n${content}\n</tool_response>`, ''),
  opens: ['<tool_call>'],
});

export const glm47 = parameterFormat(keyed({ ...argTags, ...bare }), {
  system: glmSystem(words`\n`, glm47Example, ({ whole }) => whole),
  results: oneTurn('observation', toolResponse, ''),
  opens: ['<tool_call>'],
});

export const glm51: Format = { ...glm47, system: glmSystem(words`\n`, glm47Example, ({ body }) => body) };

export const ling3 = parameterFormat(
  keyed({ ...argTags, ...bare, betweenPair: '\n', atEnd: '\n', betweenCalls: '\n' }),
  {
    system: (
      tools,
      said,
    ) => words`${said === undefined || said.trim() === '' ? words`` : words`${said.trim()}\n`}${functionSignatures(tools)}

If none of the functions can be used, point it out. If the given question lacks the parameters required by the function, also point it out.
If you need to use a function, for each function call, output the function name and arguments within the following XML format:
${glm45Example}
`,
    results: oneTurn('observation', ({ content }) => words`\n<tool_response>\n${content}\n</tool_response>`, ''),
    opens: ['<tool_call>'],
  },
);

export const spark25 = parameterFormat(keyed({ ...argTags, ...bare }), {
  system: (tools, said) => words`## Tools
You have access to the following functions:
<tools>
${tools.map(({ body }) => jsonText(body)).join('\n')}
</tools>${said ? words`\n\n${said}` : words``}`,
  results: oneTurn('tool', toolResponse, ''),
  opens: ['<tool_call>'],
});

export const xing40 = parameterFormat(
  { ...keyed({ key: 'param_key', value: 'param_value', ...bare }), untyped: 'json' },
  {
    system: (tools, said) => words`${said ?? ''}
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map(({ whole }) => jsonText(whole)).join('\n')}
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}<param_key>{param-key-1}</param_key><param_value>{param-value-1}</param_value><param_key>{param-key-2}</param_key><param_value>{param-value-2}</param_value>...</tool_call>`,
    results: oneTurn('observation', toolResponse, ''),
    opens: ['<tool_call>'],
  },
);

/** Hunyuan's tags end with a mark: none in the preview. */
function hunyuan(mark: string): Format {
  const m = ownWords(mark);
  return parameterFormat(
    {
      call: (name, parameters) => words`<tool_call${m}>${name}<tool_sep${m}>\n${parameters}\n</tool_call${m}>`,
      parameter: (key, value) =>
        words`<arg_key${m}>${key}</arg_key${m}>\n<arg_value${m}>${bareText(value)}</arg_value${m}>`,
      betweenParameters: '\n',
      betweenCalls: '\n',
      around: [`<tool_calls${mark}>\n`, `\n</tool_calls${mark}>`],
      readCall: new RegExp(
        `<tool_call${mark}>(?<name>[^<]*)<tool_sep${mark}>(?<parameters>.*?)</tool_call${mark}>`,
        'gs',
      ),
      readParameter: new RegExp(
        `<arg_key${mark}>(?<key>.*?)</arg_key${mark}>\\s*<arg_value${mark}>(?<value>.*?)</arg_value${mark}>`,
        'gs',
      ),
      untyped: 'json',
    },
    {
      system: (tools, said) => words`${front(said)}${functionSignatures(tools)}

For function call returns, you should first print <tool_calls${m}>
For each function call, you should return object like:
<tool_call${m}>{function-name}<tool_sep${m}>
<arg_key${m}>{arg-key-1}</arg_key${m}>
<arg_value${m}>{arg-value-1}</arg_value${m}>
<arg_key${m}>{arg-key-2}</arg_key${m}>
<arg_value${m}>{arg-value-2}</arg_value${m}>
...
</tool_call${m}>
At the end of function call returns, you should print </tool_calls${m}>`,
      results: (results) => [
        {
          role: 'user',
          content: words`<tool_responses${m}>\n${join(
            results.map(({ content }) => words`<tool_response${m}>\n${content}\n</tool_response${m}>`),
            '\n',
          )}\n</tool_responses${m}>`,
        },
      ],
      opens: [`<tool_calls${mark}>`, `<tool_call${mark}>`],
    },
  );
}

export const hyV3Preview = hunyuan('');
export const hyV3 = hunyuan(':opensource');

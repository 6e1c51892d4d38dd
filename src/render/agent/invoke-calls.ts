import { jsonText } from '../json-text.ts';
import { bareText, type Format, front, oneTurn, type Tool } from './format.ts';
import { holes, parameterFormat, toolResponseLines } from './parameter-tags.ts';
import { type Hole, space } from './scan.ts';
import { join, ownWords, type Written, words } from './written.ts';

/** Formats whose tags name the function and its parameters in an attribute. */

const { name, parameters, key, value } = holes;
const kind: Hole = { hole: 'kind', run: /true|false/y };

/** How MiniMax's models are told their tools; how to call them comes behind. */
export const minimaxTools = (tools: readonly Tool[], said: string | undefined): Written => words`${said ?? ''}

# Tools
You may call one or more tools to assist with the user query.
Here are the tools available in JSONSchema format:

<tools>
${join(
  tools.map(({ body }) => words`<tool>${jsonText(body)}</tool>`),
  '\n',
)}
</tools>`;

export const minimaxResults = oneTurn('tool', ({ content }) => words`<response>${content}</response>`);

export const minimaxM2 = parameterFormat(
  {
    call: (name, parameters) => words`<invoke name="${name}">\n${parameters}\n</invoke>`,
    parameter: (key, value) => words`<parameter name="${key}">${bareText(value)}</parameter>`,
    betweenParameters: '\n',
    betweenCalls: '\n',
    around: ['<minimax:tool_call>\n', '\n</minimax:tool_call>'],
    readCall: ['<invoke name="', name, '">', parameters, '</invoke>'],
    readParameter: ['<parameter name="', key, '">', value, '</parameter>'],
    untyped: 'json',
  },
  {
    system: (tools, said) => words`${minimaxTools(tools, said)}

When making tool calls, use XML format to invoke tools and pass parameters:

<minimax:tool_call>
<invoke name="tool-name-1">
<parameter name="param-key-1">param-value-1</parameter>
<parameter name="param-key-2">param-value-2</parameter>
...
</invoke>
</minimax:tool_call>`,
    results: minimaxResults,
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
    readCall: ['<function', space, 'name="', name, '">', parameters, '</function>'],
    readParameter: ['<param', space, 'name="', key, '">', value, '</param>'],
    unwrap: (text) => text.replace(/^<!\[CDATA\[/, '').replace(/\]\]>$/, ''),
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
      readCall: [`<${tag}invoke`, space, 'name="', name, '">', parameters, `</${tag}invoke>`],
      readParameter: [
        `<${tag}parameter`,
        space,
        'name="',
        key,
        '"',
        space,
        'string="',
        kind,
        '">',
        value,
        `</${tag}parameter>`,
      ],
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

import { jsonText } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { bareText, type Format, front, oneTurn, type Tool } from './format.ts';
import { functionSignatures } from './json-calls.ts';
import { apart, holes, parameterFormat, type Tags, toolResponse } from './parameter-tags.ts';
import { type Hole, space } from './scan.ts';
import { join, ownWords, type Written, words } from './written.ts';

/** Formats in which the key and the value of each argument stand in tags of their own. */

const { name, parameters, value } = holes;
const keyText: Hole = { hole: 'key' };

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
    readCall: ['<tool_call>', space, { ...name, run: /[^\n<]+/y }, parameters, '</tool_call>'],
    readParameter: [`<${k}>`, keyText, `</${k}>`, space, `<${v}>`, value, `</${v}>`],
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
      readCall: [
        `<tool_call${mark}>`,
        { ...name, run: /[^<]+/y },
        `<tool_sep${mark}>`,
        parameters,
        `</tool_call${mark}>`,
      ],
      readParameter: [
        `<arg_key${mark}>`,
        keyText,
        `</arg_key${mark}>`,
        space,
        `<arg_value${mark}>`,
        value,
        `</arg_value${mark}>`,
      ],
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

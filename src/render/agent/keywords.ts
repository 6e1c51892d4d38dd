import { jsonText, normalJson } from '../json-text.ts';
import {
  argumentsText,
  bareText,
  type Format,
  front,
  type ParsedAnswer,
  type ParsedCall,
  type Tool,
} from './format.ts';
import { join, ownWords, type Written, words } from './written.ts';

interface Marks {
  readonly name: string;
  readonly args: string;
  readonly result: string;
}

const react: Marks = { name: 'Action:', args: 'Action Input:', result: 'Observation:' };
const qwen: Marks = { name: '✿FUNCTION✿:', args: '✿ARGS✿:', result: '✿RESULT✿:' };

/** Formats in which each part of a call stands behind a mark of its own. */
function keywordFormat(marks: Marks, system: Format['system']): Format {
  return {
    system,
    calls: (calls) =>
      join(
        calls.map((call) => {
          return words`${ownWords(marks.name)} ${call.name}\n${ownWords(marks.args)} ${argumentsText(call)}\n`;
        }),
      ),
    results: (results) => [
      {
        role: 'user',
        content: join(
          results.map(({ content }) => {
            return words`${ownWords(marks.result)}${content}${ownWords(content.endsWith('\n') ? '' : '\n')}`;
          }),
        ),
      },
    ],
    parse: (answer) => parseMarked(answer, marks),
    opens: [marks.name],
  };
}

/** As ms-swift reads it: a name, and the first arguments behind it. */
function parseMarked(answer: string, marks: Marks): ParsedAnswer {
  const [content = '', ...parts] = answer.split(new RegExp(`(${marks.args}|${marks.name}|${marks.result})`));
  const calls: ParsedCall[] = [];
  let name: string | undefined;
  for (let i = 0; i < parts.length; i += 2) {
    const said = (parts[i + 1] ?? '').trim();
    if (name === undefined && parts[i] === marks.name) name = said;
    else if (name !== undefined && parts[i] === marks.args) {
      calls.push({ name, arguments: normalJson(said) ?? said });
      name = undefined;
    }
  }
  return calls.length === 0 ? { content: answer, calls } : { content: content.trim(), calls };
}

const names = (tools: readonly Tool[]): string => tools.map(({ name }) => name).join(',');

/** A tool, in a sentence of English or Chinese. */
const described = {
  en: ({ name, description, parameters }: Tool): Written =>
    words`${name}: ${description} Parameters: ${bareText(parameters)} Format the arguments as a JSON object.`,
  zh: ({ name, description, parameters }: Tool): Written =>
    words`${name}: ${description} 输入参数：${bareText(parameters)} 此工具的输入应为JSON对象。`,
};

const called = {
  en: ({ name, description, parameters }: Tool): Written =>
    words`${name}: Call this tool to interact with the ${name} API. What is the ${name} API useful for? ${description} Parameters: ${bareText(parameters)} Format the arguments as a JSON object.`,
  zh: ({ name, description, parameters }: Tool): Written =>
    words`${name}: 调用此工具与 ${name} API 进行交互。${name} 有什么用？${description} 输入参数：${bareText(parameters)} 此工具的输入应为JSON对象。`,
};

const list = (tools: readonly Tool[], write: (tool: Tool) => Written): Written => join(tools.map(write), '\n\n');

export const reactEn = keywordFormat(
  react,
  (
    tools,
    said,
  ) => words`${front(said)}Answer the following questions as best you can. You have access to the following tools:

${list(tools, called.en)}

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
);

export const reactZh = keywordFormat(
  react,
  (tools, said) => words`${front(said)}尽可能地回答以下问题。你可以使用以下工具:

${list(tools, called.zh)}

请按照以下格式进行:

Question: 需要你回答的输入问题
Thought: 你应该总是思考该做什么
Action: 需要使用的工具，应该是[${names(tools)}]中的一个
Action Input: 传入工具的内容
Observation: 行动的结果
... (这个Thought/Action/Action Input/Observation可以重复N次)
Thought: 我现在知道最后的答案
Final Answer: 对原始输入问题的最终答案

现在开始！
`,
);

export const reactGrpo = keywordFormat(
  react,
  (
    tools,
    said,
  ) => words`${front(said)}A conversation for tool calling between User and Assistant. The user asks a question which may be solved by calling tools, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process should be enclosed within <think> </think>tags and answer should follow the ReACT format(Action:xxx
Action Input:xxx), i.e., <think> reasoning process here </think> Action: action here
Action Input: parameters here

Answer the following questions as best as you can. You have access to the following tools:

${list(tools, called.en)}

Use the following format:

<think>you should always think about what to do</think>
Action: the action to take, should be one of [${names(tools)}]
Action Input: the input to the action
Observation: the result of the action, given by the actual calling
... (this Thought/Action/Action Input/Observation can be repeated zero or more times)
Final Answer: the final answer to the original input question

Begin!
`,
);

export const toolbench = keywordFormat(
  react,
  (tools, said) => words`${front(said)}You can use many tools(functions) to do the following task.
First I will give you the task description, and your task start.
At each step, you need to give your thought to analyze the status now and what to do next, with a function call to actually execute your step. Your output should follow this format:
Thought:
Action:
Action Input:

After the call, you will get the call result, and you are now in a new state.
Then you will analyze your status now, then decide what to do next...
After many (Thought-call) pairs, you finally perform the task, then you can give your final answer.
Remember:
1.the state change is irreversible, you can't go back to one of the former state, if you want to restart the task, say "I give up and restart".
2.All the thought is short, at most in 5 sentence.
3.You can do more then one try, so if your plan is to continuously try some conditions, you can do one of the conditions per try.
Let's Begin!
Task description: You should use functions to help handle the real time user queries. Remember:
1.ALWAYS call "Finish" function at the end of the task. And the final answer should contain enough information to show to the user,If you can't handle the task, or you find that function calls always fail(the function is not valid now), use function Finish->give_up_and_restart.
2.Do not use origin tool names, use only subfunctions' names.
Specifically, you have access to the following APIs: ${jsonText(tools.map(({ body }) => body))}`,
);

const qwenTools = {
  en: (tools: readonly Tool[], said: string | undefined): Written => words`${said ?? ''}

# Tools

## You have access to the following tools:

${list(tools, (tool) => words`### ${tool.name}\n\n${described.en(tool)}`)}

## `,
  zh: (tools: readonly Tool[], said: string | undefined): Written => words`${said ?? ''}

# 工具

## 你拥有如下工具：

${list(tools, (tool) => words`### ${tool.name}\n\n${described.zh(tool)}`)}

## `,
};

export const qwenEn = keywordFormat(
  qwen,
  (
    tools,
    said,
  ) => words`${qwenTools.en(tools, said)}When you need to call a tool, please insert the following command in your reply, which can be called zero or multiple times according to your needs:

✿FUNCTION✿: The tool to use, should be one of [${names(tools)}]
✿ARGS✿: The input of the tool
✿RESULT✿: Tool results
✿RETURN✿: Reply based on tool results. Images need to be rendered as ![](url)`,
);

export const qwenZh = keywordFormat(
  qwen,
  (tools, said) => words`${qwenTools.zh(tools, said)}你可以在回复中插入零次、一次或多次以下命令以调用工具：

✿FUNCTION✿: 工具名称，必须是[${names(tools)}]之一。
✿ARGS✿: 工具输入
✿RESULT✿: 工具结果
✿RETURN✿: 根据工具结果进行回复，需将图片用![](url)渲染出来`,
);

export const qwenEnParallel = keywordFormat(
  qwen,
  (
    tools,
    said,
  ) => words`${qwenTools.en(tools, said)}Insert the following command in your reply when you need to call N tools in parallel:

✿FUNCTION✿: The name of tool 1, should be one of [${names(tools)}]
✿ARGS✿: The input of tool 1
✿FUNCTION✿: The name of tool 2
✿ARGS✿: The input of tool 2
...
✿FUNCTION✿: The name of tool N
✿ARGS✿: The input of tool N
✿RESULT✿: The result of tool 1
✿RESULT✿: The result of tool 2
...
✿RESULT✿: he result of tool N
✿RETURN✿: Reply based on tool results. Images need to be rendered as ![](url)`,
);

export const qwenZhParallel = keywordFormat(
  qwen,
  (tools, said) => words`${qwenTools.zh(tools, said)}你可以在回复中插入以下命令以并行调用N个工具：

✿FUNCTION✿: 工具1的名称，必须是[${names(tools)}]之一
✿ARGS✿: 工具1的输入
✿FUNCTION✿: 工具2的名称
✿ARGS✿: 工具2的输入
...
✿FUNCTION✿: 工具N的名称
✿ARGS✿: 工具N的输入
✿RESULT✿: 工具1的结果
✿RESULT✿: 工具2的结果
...
✿RESULT✿: 工具N的结果
✿RETURN✿: 根据工具结果进行回复，需将图片用![](url)渲染出来`,
);

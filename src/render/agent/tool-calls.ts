import type { AgentFormat } from '../../schema/agent-formats.ts';
import type { Tokenizer } from '../../spec/tokenizer.ts';
import { jsonIn, jsonText } from '../json-text.ts';
import type { ChatMessage, TemplateData } from '../messages.ts';
import { prepareMessages, prepareTools } from '../prepare.ts';
import { type ChatTemplateProgram, renderRaw } from '../template.ts';
import { applyAgent, type CallNotation, callMarks, callNotations, callOpenings, parseAnswer } from './agent.ts';
import type { ParsedAnswer } from './format.ts';

/** What a model does with tools: whether it is shown them, and how its calls are read out of an answer. */
export interface ToolCalls {
  /** Whether tools on offer stand in the prompt. */
  readonly offers: boolean;
  /** How calls are read; `none` where no format reads what the model's template writes. */
  readonly format: CallNotation;
  /** What a call begins with at the earliest; an answer up to there says nothing of calls. */
  readonly openings: readonly string[];
  /** Special tokens that calls are written with. */
  readonly marks: ReadonlySet<number>;
  readonly parse: (answer: string, tools: readonly TemplateData[]) => ParsedAnswer;
}

interface ToolCallsRequest {
  readonly template: ChatTemplateProgram;
  readonly specialTokens: Readonly<Record<string, string>>;
  /** `render.agent` of the recipe. */
  readonly agent: AgentFormat;
  readonly tokenizer: Pick<Tokenizer, 'addedTokens'>;
}

const parameter = (type: string): TemplateData => ({ type, description: 'A value.' });
const tool: TemplateData = {
  type: 'function',
  function: {
    name: 'probe_weather',
    description: 'Says what it was asked.',
    parameters: {
      type: 'object',
      properties: { city: parameter('string'), days: parameter('integer'), exact: parameter('boolean') },
      required: ['city'],
    },
  },
};
const given = { city: 'Oslo or Rome', days: 7, exact: true };
const asked: ChatMessage = { role: 'user', content: 'How is it there?' };
/** Mistral's templates want ids of nine signs. */
const called = (args: TemplateData): ChatMessage => ({
  role: 'assistant',
  content: '',
  tool_calls: [{ id: 'abcdefghi', type: 'function', function: { name: 'probe_weather', arguments: args } }],
});

/**
 * How calls are written is asked of the template itself: it is given one, and the format that reads it back is the model's.
 * With an agent format it is that one.
 */
export function toolCallsOf(request: ToolCallsRequest): ToolCalls {
  const { agent, tokenizer } = request;
  const probe = agent === 'none' ? probeTemplate(request) : { offers: true, format: agent, text: agentText(agent) };
  const { offers } = probe;
  const format = probe.format === 'none' && offers ? formatOfTokens(tokenizer) : probe.format;
  const needed = callMarks(format);
  const marks = [...tokenizer.addedTokens].filter(
    ([text, { special }]) => special && (needed.includes(text) || probe.text.includes(text)),
  );
  return {
    offers,
    format,
    openings: callOpenings(format),
    marks: new Set(marks.map(([, { id }]) => id)),
    parse: (answer, tools) => parseAnswer(format, answer, prepareTools(tools)),
  };
}

/** Some templates show tools and leave out calls; the model's tokens tell how it writes them, where only one format has them. */
function formatOfTokens({ addedTokens }: ToolCallsRequest['tokenizer']): CallNotation {
  const having = callNotations.filter((name) => {
    const marks = callMarks(name);
    return marks.length > 0 && marks.every((mark) => addedTokens.has(mark));
  });
  return having.length === 1 && having[0] ? having[0] : 'none';
}

function agentText(agent: AgentFormat): string {
  return String(applyAgent(agent, { messages: [asked, called(given)] }).messages[1]?.content);
}

interface Probe {
  readonly offers: boolean;
  readonly format: CallNotation;
  /** What the template writes for a call. */
  readonly text: string;
}

function probeTemplate({ template, specialTokens }: ToolCallsRequest): Probe {
  const render = (
    messages: readonly ChatMessage[],
    tools: readonly TemplateData[],
    prompt: boolean,
  ): string | undefined => {
    const prepared = prepareMessages(messages, template);
    const input = { template, specialTokens, messages: prepared, tools, addGenerationPrompt: prompt, now: new Date(0) };
    const rendering = renderRaw(input);
    return rendering.ok ? rendering.text : undefined;
  };
  const prompt = render([asked], [tool], true);
  const offers = prompt !== undefined && prompt !== render([asked], [], true);
  // Some templates write arguments as they are given, and count on text.
  for (const args of [given, jsonText(given)]) {
    const whole = render([asked, called(args)], [tool], false);
    if (whole === undefined || prompt === undefined) continue;
    let at = 0;
    while (at < prompt.length && prompt[at] === whole[at]) at++;
    const text = whole.slice(at);
    const format = callNotations.find((name) => reads(name, text));
    if (format) return { offers, format, text };
  }
  return { offers, format: 'none', text: '' };
}

function reads(format: CallNotation, text: string): boolean {
  const { calls } = parseAnswer(format, text, [tool]);
  const [call] = calls;
  return calls.length === 1 && call?.name === 'probe_weather' && jsonText(jsonIn(call.arguments)) === jsonText(given);
}

import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { type Encoder, openEncoder } from '../models/encoder.ts';
import type { Message } from '../schema/sample.ts';
import type { ChatBody, PromptEngine } from '../spec/prompt-engine.ts';
import { writeTinyModel } from './tiny-model.ts';
import type { ContractCase } from './train-engine-contract.ts';

export interface PromptEngineContractOptions {
  /** Opens the engine on a model folder; `now` is what templates are to be told. */
  readonly open: (model: { readonly folder: string; readonly now: Date }) => Promise<PromptEngine>;
  /** An empty folder; the caller removes it. */
  readonly folder: string;
}

/** ChatML with what prompts differ by: tools, calls, results, parts of text, a variable, and a conversation it refuses. */
const template = `{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif -%}
{%- for message in messages %}
{%- if message.role == 'developer' %}{{ raise_exception('no developer here') }}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{ message.content }}
{%- elif message.content %}{% for part in message.content %}{{ part.text }}{% endfor %}{% endif %}
{%- for call in message.tool_calls or [] %}{{ call.function.name }} {{ call.function.arguments | tojson }}{% endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is false %}{{ '<none>' }}{% endif %}{% endif %}`;

const tool = '{"type": "function", "function": {"name": "weather", "parameters": {"scale": 1.0, "2": 0, "1": 0}}}';
const user = { role: 'user', content: 'the price and the close?' };

const bodies: Readonly<Record<string, ChatBody>> = {
  'a question': { messages: [user] },
  'a system message, and earlier turns': {
    messages: [{ role: 'system', content: 'Be brief.' }, user, { role: 'assistant', content: 'Up.' }, user],
  },
  'text beyond ASCII, line breaks, spaces at the edges': {
    messages: [{ role: 'user', content: ' 漢字 – ¿é?\\n\\n\\t🦆 ' }],
  },
  'parts of text': {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'the price' },
          { type: 'text', text: ' and' },
        ],
      },
    ],
  },
  'tools, with numbers and keys as they were written': { messages: [user], tools: [tool] },
  'calls and their results': {
    messages: [
      user,
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"days": 2.0}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'sun' },
    ],
    tools: [tool],
  },
  'a variable of the template': { messages: [user], chat_template_kwargs: { enable_thinking: false } },
};

/**
 * What every implementation of `spec/PromptEngine` keeps to, as cases for any test runner: the ids are those that training
 * learns behind.
 */
export function promptEngineContract(options: PromptEngineContractOptions): readonly ContractCase[] {
  const now = new Date('2026-03-05T14:07:09Z');
  const start = async (): Promise<{ readonly engine: PromptEngine; readonly ours: (body: ChatBody) => number[] }> => {
    const model = await mkdtemp(join(options.folder, 'model-'));
    await writeTinyModel(model, { seed: 3, chatTemplate: template });
    const encoder = await openEncoder({
      folder: model,
      render: { template: 'model', learn: 'last', system: null },
      now,
    });
    return { engine: await options.open({ folder: model, now }), ours: (body) => prompt(encoder, body) };
  };
  return [
    ...Object.entries(bodies).map(([what, body]) => ({
      name: `the prompt is the one of training: ${what}`,
      async run() {
        const { engine, ours } = await start();
        await using _ = engine;
        assert.deepEqual([...(await engine.promptIds(body))], ours(body));
      },
    })),
    {
      name: 'one request says nothing of another, also at the same time',
      async run() {
        const { engine, ours } = await start();
        await using _ = engine;
        const all = [...Object.values(bodies), ...Object.values(bodies)];
        const ids = await Promise.all(all.map((body) => engine.promptIds(body)));
        assert.deepEqual(
          ids.map((each) => [...each]),
          all.map(ours),
        );
      },
    },
    {
      name: 'what the template refuses is refused with its reason, and the next request is answered',
      async run() {
        const { engine, ours } = await start();
        await using _ = engine;
        const refused = engine.promptIds({ messages: [{ role: 'developer', content: 'x' }, user] });
        await assert.rejects(refused, (error) => {
          assert.ok(MartletError.is(error), 'a MartletError');
          assert.match([error.message, ...error.issues.map(({ message }) => message)].join(), /no developer here/);
          return true;
        });
        const body: ChatBody = { messages: [user] };
        assert.deepEqual([...(await engine.promptIds(body))], ours(body));
      },
    },
  ];
}

function prompt(encoder: Encoder, { messages, tools, chat_template_kwargs: variables }: ChatBody): number[] {
  const row = { messages: messages as unknown as Message[], tools: tools as string[] | undefined, variables };
  return [...encoder.prompt(row as Parameters<Encoder['prompt']>[0])];
}

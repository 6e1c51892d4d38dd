import type { FormatName } from '../../src/data/formats.ts';
import type { Sample } from '../../src/schema/sample.ts';

/** A way to write a row: the example that `docs/concepts/rows.md` shows, and the test that holds it. */
export interface RowForm {
  /** What it is called where it comes from. */
  readonly name: string;
  /** The row of ms-swift's table of schemas that it covers; absent for forms of others. */
  readonly swift?: string;
  readonly format: FormatName;
  /** What is read, in a sentence. */
  readonly says: string;
  readonly row: object;
  /** The sample it becomes, without id, split and provenance. */
  readonly reads: Partial<Sample>;
  /** What is noted as changed. */
  readonly changes?: readonly string[];
}

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string | null) => ({ role: 'assistant' as const, content });
const system = (content: string) => ({ role: 'system' as const, content });
const ask = 'What is 6 x 7?';
const asked = [user(ask)];
const answered = [user(ask), assistant('42')];
const call = (name: string, given: string | Record<string, number>, id?: string) => ({
  ...(id !== undefined && { id }),
  type: 'function' as const,
  function: { name, arguments: given },
});
const tool = { type: 'function', function: { name: 'multiply', parameters: {} } };
const image = (name: string) => ({ type: 'image' as const, image: name });
const text = (said: string) => ({ type: 'text' as const, text: said });

/** Every form of a row that is read; the files it names stand in the folder of the test. */
export const rowForms: readonly RowForm[] = [
  {
    name: 'messages',
    swift: 'messages (standard)',
    format: 'messages',
    says: 'The conversation as it stands: system, user, assistant, tool.',
    row: { messages: [system('Be brief.'), ...answered] },
    reads: { messages: [system('Be brief.'), ...answered] },
  },
  {
    name: 'tool_call and tool_response turns',
    swift: 'messages (standard)',
    format: 'messages',
    says: 'Calls join the assistant message before them; results are tool messages.',
    row: {
      messages: [
        user(ask),
        { role: 'tool_call', content: '{"name": "multiply", "arguments": {"a": 6, "b": 7}}' },
        { role: 'tool_response', content: '42' },
        assistant('It is 42.'),
      ],
    },
    reads: {
      messages: [
        user(ask),
        { role: 'assistant', content: null, tool_calls: [call('multiply', { a: 6, b: 7 })] },
        { role: 'tool', content: '42' },
        assistant('It is 42.'),
      ],
    },
  },
  {
    name: 'ShareGPT',
    swift: 'ShareGPT (from/value)',
    format: 'sharegpt',
    says: 'human, gpt, bot, system, function_call and observation are mapped.',
    row: {
      conversations: [
        { from: 'system', value: 'Be brief.' },
        { from: 'human', value: ask },
        { from: 'gpt', value: '42' },
      ],
    },
    reads: { messages: [system('Be brief.'), ...answered] },
  },
  {
    name: 'ShareGPT in pairs',
    swift: 'ShareGPT (pairs)',
    format: 'sharegpt',
    says: 'Each pair is a question and its answer.',
    row: {
      system: 'Be brief.',
      conversation: [
        { human: 'Hello', assistant: 'Hello.' },
        { human: ask, assistant: '42' },
      ],
    },
    reads: { messages: [system('Be brief.'), user('Hello'), assistant('Hello.'), ...answered] },
  },
  {
    name: 'query and response',
    swift: 'query/response',
    format: 'query',
    says: 'The last turn, behind the pairs of `history`.',
    row: { system: 'Be brief.', query: ask, response: '42', history: [['Hello', 'Hello.']] },
    reads: { messages: [system('Be brief.'), user('Hello'), assistant('Hello.'), ...answered] },
  },
  {
    name: 'other names for query and response',
    swift: 'query/response',
    format: 'query',
    says: 'prompt, input, instruction, question, problem ask; completion, answer, output, target and kin answer, in any case.',
    row: { system_prompt: 'Be brief.', Question: ask, Answer: '42' },
    reads: { messages: [system('Be brief.'), ...answered] },
  },
  {
    name: 'prompt and completion',
    format: 'query',
    says: "TRL's, as texts or as lists of messages.",
    row: { prompt: asked, completion: [assistant('42')] },
    reads: { messages: answered },
  },
  {
    name: 'Alpaca',
    swift: 'Alpaca',
    format: 'alpaca',
    says: 'The question is the instruction and, on a new line, the input.',
    row: { instruction: 'Multiply.', input: '6 and 7', output: '42' },
    reads: { messages: [user('Multiply.\n6 and 7'), assistant('42')] },
  },
  {
    name: 'OpenAI tools',
    swift: 'OpenAI tools',
    format: 'messages',
    says: 'Calls with their ids, results with the id of their call.',
    row: {
      messages: [
        user(ask),
        { role: 'assistant', content: null, tool_calls: [call('multiply', '{"a": 6, "b": 7}', 'c1')] },
        { role: 'tool', tool_call_id: 'c1', content: '42' },
        assistant('It is 42.'),
      ],
      tools: [tool],
    },
    reads: {
      messages: [
        user(ask),
        { role: 'assistant', content: null, tool_calls: [call('multiply', '{"a": 6, "b": 7}', 'c1')] },
        { role: 'tool', content: '42', tool_call_id: 'c1' },
        assistant('It is 42.'),
      ],
      tools: [tool],
    },
  },
  {
    name: 'reasoning',
    format: 'messages',
    says: '`reasoning_content` (or `reasoning`, `thinking`) stands beside the answer.',
    row: { messages: [user(ask), { ...assistant('42'), reasoning: '6 x 7 = 42' }] },
    reads: { messages: [user(ask), { ...assistant('42'), reasoning_content: '6 x 7 = 42' }] },
  },
  {
    name: 'OpenAI parts',
    swift: 'OpenAI blocks',
    format: 'messages',
    says: 'Parts with text, images, sound and video; `input_text` and `input_image` too.',
    row: {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
          ],
        },
        assistant('A cat.'),
      ],
    },
    reads: {
      messages: [
        { role: 'user', content: [text('What is this?'), image('https://example.com/a.png')] },
        assistant('A cat.'),
      ],
    },
  },
  {
    name: 'Anthropic blocks',
    swift: 'Anthropic',
    format: 'messages',
    says: 'thinking becomes reasoning, tool_use a call, tool_result a tool message, an image source a data URI.',
    row: {
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: ask },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'A product.', signature: 's' },
            { type: 'tool_use', id: 'c1', name: 'multiply', input: { a: 6, b: 7 } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: '42' }] },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'It is 42.' },
            { type: 'text', text: ' Truly.' },
          ],
        },
      ],
    },
    reads: {
      messages: [
        system('Be brief.'),
        { role: 'user', content: [text(ask), image('data:image/png;base64,iVBORw0KGgo=')] },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'A product.',
          tool_calls: [call('multiply', { a: 6, b: 7 }, 'c1')],
        },
        { role: 'tool', content: '42', tool_call_id: 'c1' },
        { role: 'assistant', content: [text('It is 42.'), text(' Truly.')] },
      ],
    },
  },
  {
    name: 'plain text',
    swift: 'pre-training',
    format: 'text',
    says: 'Encoded without a chat template, and all of it is learned.',
    row: { text: 'The swift sleeps on the wing.' },
    reads: { messages: [assistant('The swift sleeps on the wing.')], plain: true },
  },
  {
    name: 'an assistant alone',
    swift: 'pre-training',
    format: 'messages',
    says: 'A conversation in which only the assistant speaks is plain text too.',
    row: { messages: [assistant('The swift sleeps on the wing.')] },
    reads: { messages: [assistant('The swift sleeps on the wing.')], plain: true },
  },
  {
    name: 'learning by message',
    swift: 'per-message control',
    format: 'messages',
    says: '`loss` (or `learn`) says whether a message is learned, `loss_scale` (or `weight`) how strongly; of tool calls in a row, the first that says.',
    row: {
      messages: [user('Hello'), { ...assistant('Hi!'), loss: false }, user(ask), { ...assistant('42'), loss_scale: 2 }],
    },
    reads: {
      messages: [user('Hello'), { ...assistant('Hi!'), learn: false }, user(ask), { ...assistant('42'), weight: 2 }],
    },
  },
  {
    name: 'channel',
    swift: 'channel',
    format: 'messages',
    says: 'Kept in `extra`.',
    row: { messages: answered, channel: 'arithmetic' },
    reads: { messages: answered, extra: { channel: 'arithmetic' } },
  },
  {
    name: 'template arguments by row',
    swift: 'per-row template args',
    format: 'messages',
    says: 'Names the chat template is given for this row alone.',
    row: { messages: answered, chat_template_kwargs: { enable_thinking: false } },
    reads: { messages: answered, variables: { enable_thinking: false } },
  },
  {
    name: 'rejected_response',
    swift: 'DPO/ORPO/CPO/SimPO/RM',
    format: 'messages',
    says: 'The answer of the messages is chosen; a text takes the place of the last message.',
    row: { messages: answered, rejected_response: '13', margin: 2 },
    reads: { messages: answered, rejected: [assistant('13')], margin: 2 },
  },
  {
    name: 'rejected_messages',
    swift: 'DPO/ORPO/CPO/SimPO/RM',
    format: 'messages',
    says: 'A whole conversation: rejected turns begin where the two part, here with the first message.',
    row: {
      messages: answered,
      rejected_messages: [user('Six by seven?'), assistant('13')],
      rejected_tools: [tool],
    },
    reads: {
      messages: answered,
      rejected: [user('Six by seven?'), assistant('13')],
      rejectedFrom: 0,
      rejectedTools: [tool],
    },
  },
  {
    name: 'rejected_images',
    swift: 'DPO/ORPO/CPO/SimPO/RM',
    format: 'messages',
    says: 'The images of a rejected conversation; those of the chosen one where there are none.',
    row: {
      messages: [user('<image>What is this?'), assistant('A cat.')],
      images: ['a.png'],
      rejected_messages: [user('<image>What is this?'), assistant('A dog.')],
      rejected_images: ['b.png'],
    },
    reads: {
      messages: [{ role: 'user', content: [image('a.png'), text('What is this?')] }, assistant('A cat.')],
      rejected: [{ role: 'user', content: [image('b.png'), text('What is this?')] }, assistant('A dog.')],
      rejectedFrom: 0,
    },
  },
  {
    name: 'prompt, chosen, rejected',
    format: 'query',
    says: "TRL's, with the prompt beside the answers, as texts or as messages; `Chosen` and `Rejected` too.",
    row: { prompt: ask, chosen: '42', rejected: '13' },
    reads: { messages: answered, rejected: [assistant('13')] },
  },
  {
    name: 'chosen and rejected alone',
    format: 'preference',
    says: "TRL's, with the prompt inside both; texts that no question stands beside are an error.",
    row: { chosen: answered, rejected: [user(ask), assistant('13')], margin: 0.5 },
    reads: { messages: answered, rejected: [assistant('13')], margin: 0.5 },
  },
  {
    name: 'HH transcripts',
    format: 'preference',
    says: 'Texts with `Human:` and `Assistant:` become turns.',
    row: {
      chosen: `\n\nHuman: ${ask}\n\nAssistant: 42`,
      rejected: `\n\nHuman: ${ask}\n\nAssistant: 13`,
    },
    reads: { messages: answered, rejected: [assistant('13')] },
  },
  {
    name: 'unpaired',
    swift: 'KTO',
    format: 'messages',
    says: '`label` says whether the answer is wanted.',
    row: { messages: answered, label: true },
    reads: { messages: answered, label: true },
  },
  {
    name: 'ranked answers',
    format: 'query',
    says: 'Answers with `scores` (more is better) or `ranks` (1 is best); the best becomes the answer.',
    row: { prompt: ask, responses: ['13', '42'], scores: [0.1, 0.9] },
    reads: {
      messages: answered,
      ranked: [
        { messages: [assistant('13')], score: 0.1 },
        { messages: [assistant('42')], score: 0.9 },
      ],
    },
  },
  {
    name: 'reward rows',
    swift: 'PPO/GRPO',
    format: 'messages',
    says: 'No answer: one is to be sampled. `solution` and every other column are kept for scorers.',
    row: { messages: asked, solution: '42', difficulty: 3 },
    reads: { messages: asked, solution: '42', extra: { difficulty: 3 } },
  },
  {
    name: 'problem and solution',
    swift: 'PPO/GRPO',
    format: 'query',
    says: 'Where nothing better answers, the solution does; scorers have it too.',
    row: { problem: ask, solution: '42' },
    reads: { messages: answered, solution: '42' },
  },
  {
    name: 'environment',
    swift: 'GRPO gym',
    format: 'messages',
    says: 'Kept in `extra` for the scorer that plays it.',
    row: { messages: asked, env_config: { name: 'calculator' } },
    reads: { messages: asked, extra: { env_config: { name: 'calculator' } } },
  },
  {
    name: 'teacher prompt',
    swift: 'GKD / OPD / OPSD',
    format: 'messages',
    says: 'Kept in `extra` with `teacher_tag` and `dataset`.',
    row: { messages: answered, teacher_prompt: 'The answer is 42.', teacher_tag: 'large' },
    reads: { messages: answered, extra: { teacher_prompt: 'The answer is 42.', teacher_tag: 'large' } },
  },
  {
    name: 'classes of a conversation',
    swift: 'seq_cls',
    format: 'messages',
    says: '`label` is a class, a list of classes, a measure or a list of measures.',
    row: { messages: [user('What a day!')], label: [1, 3] },
    reads: { messages: [user('What a day!')], label: [1, 3] },
  },
  {
    name: 'text and label',
    swift: 'seq_cls',
    format: 'classification',
    says: 'The text is what is judged; `format: text` reads it as plain text instead.',
    row: { text: 'What a day!', label: 0.8 },
    reads: { messages: [user('What a day!')], label: 0.8 },
  },
  {
    name: 'positive_messages and negative_messages',
    swift: 'embedding',
    format: 'messages',
    says: 'What the messages are like and unlike; `label` measures how alike.',
    row: {
      messages: [user('A fast bird')],
      positive_messages: [[user('A swift')]],
      negative_messages: [[user('A snail')], [user('A stone')]],
    },
    reads: {
      messages: [user('A fast bird')],
      positives: [[user('A swift')]],
      negatives: [[user('A snail')], [user('A stone')]],
    },
  },
  {
    name: 'anchor, positive, negative',
    format: 'embedding',
    says: "Sentence-transformers' names; sentence1, sentence2 and score too; a list is several.",
    row: { anchor: 'A fast bird', positive: 'A swift', negative: ['A snail', 'A stone'] },
    reads: {
      messages: [user('A fast bird')],
      positives: [[user('A swift')]],
      negatives: [[user('A snail')], [user('A stone')]],
    },
  },
  {
    name: 'reranker',
    swift: 'reranker',
    format: 'messages',
    says: 'Documents that answer the question, and some that do not.',
    row: {
      messages: [user('How do swifts sleep?')],
      positive_messages: [[assistant('On the wing.')], [assistant('In flight.')]],
      negative_messages: [[assistant('They eat insects.')]],
    },
    reads: {
      messages: [user('How do swifts sleep?')],
      positives: [[assistant('On the wing.')], [assistant('In flight.')]],
      negatives: [[assistant('They eat insects.')]],
    },
  },
  {
    name: 'documents and labels',
    format: 'embedding',
    says: 'A 1 is relevant, a 0 is not; finer grades are kept as `ranked`.',
    row: { query: 'How do swifts sleep?', documents: ['On the wing.', 'They eat insects.'], labels: [1, 0] },
    reads: {
      messages: [user('How do swifts sleep?')],
      positives: [[user('On the wing.')]],
      negatives: [[user('They eat insects.')]],
    },
  },
  {
    name: 'images, videos, audios',
    swift: 'multimodal',
    format: 'messages',
    says: 'Each tag becomes a part; paths start from the file of the row, or from `data.sources[].media`.',
    row: {
      messages: [user('<image>and <video>: what are they?<audio>'), assistant('Two cats.')],
      images: [{ bytes: null, path: 'a.png' }],
      videos: [['a.png', 'b.png']],
      audios: ['https://example.com/a.wav'],
    },
    reads: {
      messages: [
        {
          role: 'user',
          content: [
            image('a.png'),
            text('and '),
            { type: 'video', video: ['a.png', 'b.png'] },
            text(': what are they?'),
            { type: 'audio', audio: 'https://example.com/a.wav' },
          ],
        },
        assistant('Two cats.'),
      ],
    },
  },
  {
    name: 'an image without a tag',
    swift: 'multimodal',
    format: 'query',
    says: 'It goes in front, and that is noted; some tags but not all are an error.',
    row: { query: 'What is this?', response: 'A cat.', image: 'a.png' },
    reads: { messages: [{ role: 'user', content: [image('a.png'), text('What is this?')] }, assistant('A cat.')] },
    changes: ['image: put in front, for there is no <image> in the text'],
  },
  {
    name: 'grounding',
    swift: 'grounding',
    format: 'messages',
    says: 'Boxes and names of the tags, in pixels (real), shares (norm1) or thousandths (norm1000); counts and bounds are checked.',
    row: {
      messages: [user('<image>Where is the <ref-object>?'), assistant('<bbox>')],
      images: ['a.png'],
      objects: { ref: ['cat'], bbox: [[100, 200, 300, 400]], bbox_type: 'norm1000' },
    },
    reads: {
      messages: [{ role: 'user', content: [image('a.png'), text('Where is the <ref-object>?')] }, assistant('<bbox>')],
      objects: { ref: ['cat'], bbox: [[100, 200, 300, 400]], bbox_type: 'norm1000' },
    },
  },
  {
    name: 'text to image',
    swift: 'text-to-image',
    format: 'messages',
    says: '`<start-image>` stays in the text, for the processor of the model that knows it.',
    row: { messages: [user('Draw a cat.<start-image>'), assistant('<image>')], images: ['a.png'] },
    reads: { messages: [user('Draw a cat.<start-image>'), { role: 'assistant', content: [image('a.png')] }] },
  },
  {
    name: 'steps marked in the text',
    swift: 'PRM',
    format: 'messages',
    says: '`<cot-process>` stays in the text; `label` has a verdict for each step.',
    row: { messages: [user(ask), assistant('6 x 7<cot-process> = 42<cot-process>')], label: [true, true] },
    reads: { messages: [user(ask), assistant('6 x 7<cot-process> = 42<cot-process>')], label: [true, true] },
  },
  {
    name: 'steps and labels',
    format: 'query',
    says: "TRL's stepwise rows: a message for each step, a label for each message.",
    row: { prompt: ask, completions: ['6 x 7', '= 42'], labels: [true, true] },
    reads: { messages: [user(ask), assistant('6 x 7'), assistant('= 42')], label: [true, true] },
  },
  {
    name: 'tools as JSON text',
    swift: 'agent',
    format: 'messages',
    says: 'The text is read; a definition stays text only where an object would lose `1.0` or the order of keys.',
    row: { messages: answered, tools: JSON.stringify([tool]) },
    reads: { messages: answered, tools: [tool] },
  },
  {
    name: 'tools with nulls of other tools',
    swift: 'agent',
    format: 'messages',
    says: "A null that JSON Schema has no meaning for is the padding of a table's column, and so is one for an argument that the tool does not know: they are left out, which the ledger says.",
    changes: [
      'tools[0]: 1 member that is null left out',
      'messages[1].tool_calls[0]: null for city left out, which multiply has no parameter for',
    ],
    row: {
      messages: [
        user(ask),
        { ...assistant(null), tool_calls: [{ function: { name: 'multiply', arguments: { a: 6, b: 7, city: null } } }] },
        { role: 'tool', content: '42' },
        assistant('It is 42.'),
      ],
      tools: [{ ...tool, function: { ...tool.function, parameters: { properties: { a: {}, b: {}, city: null } } } }],
    },
    reads: {
      messages: [
        user(ask),
        {
          ...assistant(null),
          tool_calls: [{ type: 'function', function: { name: 'multiply', arguments: { a: 6, b: 7 } } }],
        },
        { role: 'tool', content: '42' },
        assistant('It is 42.'),
      ],
      tools: [{ ...tool, function: { ...tool.function, parameters: { properties: { a: {}, b: {} } } } }],
    },
  },
  {
    name: 'functions as tools',
    swift: 'agent',
    format: 'messages',
    says: "A function alone, or Anthropic's with `input_schema`, is put into OpenAI's form.",
    row: {
      messages: answered,
      tools: [
        { name: 'multiply', parameters: {} },
        { name: 'add', input_schema: {} },
      ],
    },
    reads: {
      messages: answered,
      tools: [tool, { type: 'function', function: { name: 'add', parameters: {} } }],
    },
  },
  {
    name: 'speech extras',
    swift: 'ASR/TTS extras',
    format: 'messages',
    says: 'Kept in `extra`.',
    row: { messages: answered, ref_audios: ['https://example.com/a.wav'], audio_codes: [1, 2] },
    reads: { messages: answered, extra: { ref_audios: ['https://example.com/a.wav'], audio_codes: [1, 2] } },
  },
  {
    name: 'JSON inside a table',
    format: 'messages',
    says: 'Lists that a CSV file holds as text are read.',
    row: { messages: JSON.stringify(answered), images: '' },
    reads: { messages: answered, extra: { images: '' } },
  },
];

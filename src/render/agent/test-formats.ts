import type { AgentFormat } from '../../schema/agent-formats.ts';
import type { ChatMessage } from '../messages.ts';

/** A turn as the family of a format writes it around its text: what the model's chat template does, not the format. */
interface Around {
  /** Between the answer with its calls and the results. */
  readonly open: string;
  readonly turn: (message: ChatMessage) => string;
  /** Up to where the model goes on. */
  readonly close: string;
}

const plain: Around = { open: '', turn: ({ content }) => String(content), close: '' };
/** The prompt that `tests/oracles/agent_formats.py` gives ms-swift for families whose templates know turns. */
const tagged: Around = {
  open: '</assistant>',
  turn: ({ role, content }) => `<${role}>${content}</${role}>`,
  close: '<assistant>',
};
const llama = (token: (name: string) => string, end: string): Around => {
  const header = (role: unknown): string => `${token('start')}${role}${token('end')}\n\n`;
  return { open: end, turn: ({ role, content }) => `${header(role)}${content}${end}`, close: header('assistant') };
};
const glm = (behind: string): Around => ({
  open: '',
  turn: ({ role, content }) => `<|${role}|>${behind}${content}`,
  close: '<|assistant|>',
});

export const familyOf: Readonly<Record<Exclude<AgentFormat, 'none'>, Around>> = {
  react_en: plain,
  react_zh: plain,
  react_grpo: plain,
  toolbench: plain,
  qwen_en: plain,
  qwen_zh: plain,
  qwen_en_parallel: plain,
  qwen_zh_parallel: plain,
  hermes: tagged,
  hunyuan_hermes: tagged,
  youtu: tagged,
  mistral: { ...tagged, open: '</s></assistant>' },
  llama3: llama((name) => `<|${name}_header_id|>`, '<|eot_id|>'),
  llama4: llama((name) => `<|header_${name}|>`, '<|eot|>'),
  chatglm4: { ...glm('\n'), close: '<|assistant|>\n' },
  glm4: { ...glm('\n'), close: '<|assistant|>\n' },
  deepseek_v3_1: { ...plain, open: '<｜end▁of▁sentence｜>' },
  kimi_k25: {
    open: '<|im_end|>',
    turn: ({ role, content }) => `<|im_system|>${role}<|im_middle|>${content}<|im_end|>`,
    close: '<|im_assistant|>assistant<|im_middle|>',
  },
  kimi_k3: {
    open: '<|close|>message<|sep|><|end_of_msg|>',
    turn: (message) =>
      `<|open|>message role="${message.role}" tool="${at(message, 'tool')}" index="${at(message, 'index')}"<|sep|>${message.content}<|close|>message<|sep|><|end_of_msg|>`,
    close: '<|open|>message role="assistant"<|sep|>',
  },
  qwen3_coder: tagged,
  qwen3_5: tagged,
  seed_oss: {
    open: '<seed:eos>',
    turn: ({ role, content }) => `<seed:bos>${role}\n${content}<seed:eos>`,
    close: '<seed:bos>assistant\n',
  },
  minimax_m2: tagged,
  minimax_m3: tagged,
  minicpm5: tagged,
  deepseek_v4: { ...plain, open: '<｜end▁of▁sentence｜><｜User｜>', close: '<｜Assistant｜>' },
  deepseek_v41: { ...plain, open: '<｜end▁of▁sentence｜><｜User｜>', close: '<｜Assistant｜>' },
  glm4_5: { ...glm(''), close: '<|assistant|>\n' },
  glm4_7: glm(''),
  glm5_1: glm(''),
  hy_v3_preview: { ...plain, open: '<｜hy_eos｜>', close: '<｜hy_Assistant｜>' },
  hy_v3: { ...plain, open: '<｜hy_eos:opensource｜>', close: '<｜hy_Assistant:opensource｜>' },
  ling3: {
    open: '<|role_end|>',
    turn: ({ role, content }) => `<role>${String(role).toUpperCase()}</role>${content}<|role_end|>`,
    close: '<role>ASSISTANT</role>\n',
  },
  spark2_5: {
    open: '<｜end▁of▁sentence｜><｜start▁of▁sentence｜>',
    turn: ({ content }) => `<|Tool|>${content}<｜end▁of▁sentence｜><｜start▁of▁sentence｜>`,
    close: '<|Bot|>',
  },
  xing4_0: { open: '<_end>\n', turn: ({ role, content }) => `<_${role}>${content}`, close: '<_bot>' },
  gemma4: plain,
};

function at(message: ChatMessage, name: string): unknown {
  return (message as Readonly<Record<string, unknown>>)[name];
}

import { byteAlphabet } from '../models/byte-alphabet.ts';

export { byteAlphabet };

/** Words that become one token each, so that token and character borders differ; `Ġ` is a space. */
const words = [
  'the',
  'Ġthe',
  'Ġclose',
  'Ġprice',
  'Ġchange',
  'Ġmonth',
  'Ġand',
  'user',
  'system',
  'assistant',
  'Ġis',
  'Ġof',
];

export const tinySpecialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;

/** ChatML, without a system message of its own. */
export const chatmlTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** A complete `tokenizer.json`: byte-level BPE with a few merges and ChatML's special tokens as ids 0 to 2. */
export function tinyTokenizerJson(): Record<string, unknown> {
  const vocabulary = new Map<string, number>();
  for (const token of [...tinySpecialTokens, ...byteAlphabet()]) vocabulary.set(token, vocabulary.size);
  const merges: [string, string][] = [];
  for (const word of words) {
    for (let end = 2; end <= word.length; end++) {
      const token = word.slice(0, end);
      if (vocabulary.has(token)) continue;
      vocabulary.set(token, vocabulary.size);
      merges.push([word.slice(0, end - 1), word.slice(end - 1, end)]);
    }
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tinySpecialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
}

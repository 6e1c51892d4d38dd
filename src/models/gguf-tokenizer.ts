import { MartletError } from '../core/error.ts';
import type { GgufValue } from './gguf-header.ts';
import { preTokenizerOf } from './gguf-pretokenizer.ts';

type Metadata = ReadonlyMap<string, GgufValue>;

/** ggml's kinds of tokens. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** What stands in a GGUF of its tokenizer, under `tokenizer.`. */
export interface GgufVocabulary {
  readonly model: string;
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly scores: readonly number[];
  readonly merges: readonly string[] | undefined;
}

/** @throws MartletError `bad-gguf` when a list is missing or of another length */
export function readVocabulary(metadata: Metadata): GgufVocabulary {
  const list = <T>(key: string): readonly T[] | undefined => {
    const value = metadata.get(`tokenizer.ggml.${key}`);
    return Array.isArray(value) ? (value as readonly T[]) : undefined;
  };
  const tokens = list<string>('tokens');
  const model = metadata.get('tokenizer.ggml.model');
  if (!tokens || typeof tokens[0] !== 'string' || typeof model !== 'string')
    throw new MartletError('bad-gguf', 'the GGUF holds no tokenizer', { hint: 'Use a GGUF of a whole model.' });
  const types = list<number>('token_type') ?? tokens.map(() => tokenTypes.normal);
  const scores = list<number>('scores') ?? [];
  const merges = list<string>('merges');
  if (types.length !== tokens.length || (scores.length > 0 && scores.length !== tokens.length))
    throw new MartletError('bad-gguf', `the GGUF has ${tokens.length} tokens and ${types.length} types`);
  return { model, tokens, types, scores, merges };
}

/**
 * Writes the vocabulary of a GGUF as a `tokenizer.json`.
 * @throws MartletError `unsupported-tokenizer` for other kinds than `gpt2` (byte-level BPE) and `llama` (SentencePiece)
 */
export function tokenizerJsonOf(metadata: Metadata): Record<string, unknown> {
  const vocabulary = readVocabulary(metadata);
  const { model, tokens, types } = vocabulary;
  if (model !== 'gpt2' && model !== 'llama')
    throw new MartletError('unsupported-tokenizer', `the GGUF's tokenizer is of the kind "${model}"`, {
      hint: 'Known are gpt2 (byte-level BPE) and llama (SentencePiece). Use the safetensors of the model instead.',
    });
  const added = tokens.flatMap((content, id) => {
    const type = types[id];
    const special = type === tokenTypes.control || (type === tokenTypes.unknown && model === 'llama');
    if (!special && type !== tokenTypes.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
  const parts = model === 'gpt2' ? byteLevel(metadata, vocabulary) : sentencePiece(metadata, vocabulary);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    post_processor: frontToken(metadata, vocabulary),
    ...parts,
  };
}

/** What encoding puts in front when special tokens are asked for. Files that do not say so mean yes for SentencePiece. */
function frontToken(metadata: Metadata, { model, tokens }: GgufVocabulary): unknown {
  const id = metadata.get('tokenizer.ggml.bos_token_id');
  const wanted = metadata.get('tokenizer.ggml.add_bos_token') ?? model === 'llama';
  const token = typeof id === 'number' ? tokens[id] : undefined;
  if (wanted !== true || token === undefined) return null;
  const front = { SpecialToken: { id: token, type_id: 0 } };
  const text = (id: 'A' | 'B', type_id: number) => ({ Sequence: { id, type_id } });
  return {
    type: 'TemplateProcessing',
    single: [front, text('A', 0)],
    pair: [front, text('A', 0), front, text('B', 1)],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

const plainBpe = { type: 'BPE', dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null };

function vocabularyObject(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

function byteLevel(metadata: Metadata, { tokens, merges }: GgufVocabulary): Record<string, unknown> {
  if (!merges) throw new MartletError('bad-gguf', 'the GGUF has a byte-level vocabulary without merges');
  const name = metadata.get('tokenizer.ggml.pre');
  const { pre_tokenizer, ignore_merges } = preTokenizerOf(typeof name === 'string' ? name : 'gpt-2');
  return {
    pre_tokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      ...plainBpe,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges,
      vocab: vocabularyObject(tokens),
      merges: merges.map((merge) => merge.split(' ')),
    },
  };
}

/** The space in front stands at the start of a text only, as transformers reads such files; llama.cpp adds one after control tokens too. */
function sentencePiece(metadata: Metadata, vocabulary: GgufVocabulary): Record<string, unknown> {
  const prefix = metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  const unknown = vocabulary.types.indexOf(tokenTypes.unknown);
  return {
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: prefix ? 'first' : 'never', split: false },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      ...plainBpe,
      unk_token: vocabulary.tokens[unknown] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabularyObject(vocabulary.tokens),
      merges: vocabulary.merges?.map((merge) => merge.split(' ')) ?? mergesByScore(vocabulary),
    },
  };
}

/**
 * SentencePiece joins whatever two neighbours make the token of the highest score: each way to cut a token in two tokens
 * is a merge, and its rank is the score of the whole. Among equals the longer parts come first, as in transformers.
 */
function mergesByScore({ tokens, scores }: GgufVocabulary): [string, string][] {
  if (scores.length === 0) throw new MartletError('bad-gguf', 'the GGUF has a SentencePiece vocabulary without scores');
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { left: string; right: string; score: number; leftLength: number; rightLength: number }[] = [];
  for (const [token, id] of ids) {
    const characters = [...token];
    const cutsOfToken: [number, number, number][] = [];
    for (let cut = 1; cut < characters.length; cut++) {
      const left = ids.get(characters.slice(0, cut).join(''));
      const right = ids.get(characters.slice(cut).join(''));
      if (left !== undefined && right !== undefined) cutsOfToken.push([left, right, cut]);
    }
    cutsOfToken.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [left, right, cut] of cutsOfToken) {
      merges.push({
        left: tokens[left] as string,
        right: tokens[right] as string,
        score: scores[id] as number,
        leftLength: cut,
        rightLength: characters.length - cut,
      });
    }
  }
  merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength);
  return merges.map(({ left, right }) => [left, right]);
}

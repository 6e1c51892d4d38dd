import { MartletError } from '../core/error.ts';
import type { TypedValue } from './gguf-encode.ts';
import { preTokenizerName } from './gguf-pretokenizer.ts';
import { tokenTypes } from './gguf-tokenizer.ts';

/** The members of a `tokenizer.json` that say how to write it as metadata of a GGUF. */
interface Definition {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly pre_tokenizer?: { readonly type?: string; readonly prepend_scheme?: string } | null;
  readonly normalizer?: unknown;
  readonly post_processor?: unknown;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly unk_token?: string | null;
    readonly byte_fallback?: boolean;
  };
}

/**
 * The vocabulary of a `tokenizer.json` as GGUF's metadata. The embedding may hold more rows than there are tokens; these
 * become unused tokens, as llama.cpp wants one for each row.
 * @throws MartletError `unsupported-tokenizer` when llama.cpp would cut text otherwise
 */
export function vocabularyMetadata(definition: unknown, rows: number): Map<string, TypedValue> {
  const { model, added_tokens: added = [], ...outer } = definition as Definition;
  const refuse = (what: string): MartletError =>
    new MartletError('unsupported-tokenizer', `this tokenizer cannot be written into a GGUF: ${what}`, {
      hint: 'Export as safetensors instead.',
    });
  if (model.type !== undefined && model.type !== 'BPE') throw refuse(`it is of the kind ${model.type}, not BPE`);

  const tokens = Array.from({ length: rows }, (_, id) => `[PAD${id}]`);
  const types = Array.from({ length: rows }, (): number => tokenTypes.unused);
  const place = (token: string, id: number, type: number): void => {
    if (id >= rows) throw refuse(`token "${token}" has id ${id}, and the embedding has ${rows} rows`);
    tokens[id] = token;
    types[id] = type;
  };
  for (const [token, id] of Object.entries(model.vocab)) {
    const isByte = model.byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token);
    place(token, id, isByte ? tokenTypes.byte : tokenTypes.normal);
  }
  for (const token of added)
    place(token.content, token.id, token.special ? tokenTypes.control : tokenTypes.userDefined);

  const merges = (model.merges ?? []).map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  const metadata = new Map<string, TypedValue>();
  const set = (key: string, value: TypedValue): unknown => metadata.set(`tokenizer.ggml.${key}`, value);
  const name = preTokenizerName(outer);
  if (name !== undefined) {
    set('model', { type: 'string', value: 'gpt2' });
    set('pre', { type: 'string', value: name });
    set('merges', { type: 'strings', value: merges });
  } else if (model.byte_fallback) {
    const unknown = model.unk_token ? model.vocab[model.unk_token] : undefined;
    if (unknown !== undefined) types[unknown] = tokenTypes.unknown;
    set('model', { type: 'string', value: 'llama' });
    set('pre', { type: 'string', value: 'default' });
    set('scores', { type: 'f32s', value: scoresOf(tokens, merges) });
    set('add_space_prefix', { type: 'bool', value: addsSpace(outer) });
  } else throw refuse('none of the ways in which llama.cpp cuts text is its way');
  set('tokens', { type: 'strings', value: tokens });
  set('token_type', { type: 'i32s', value: types });
  return metadata;
}

/** SentencePiece joins by the score of the result: the earlier its first merge, the higher. */
function scoresOf(tokens: readonly string[], merges: readonly string[]): number[] {
  const ranks = new Map<string, number>();
  merges.forEach((merge, rank) => {
    const token = merge.replace(' ', '');
    if (!ranks.has(token)) ranks.set(token, rank);
  });
  return tokens.map((token) => -(ranks.get(token) ?? 0));
}

/** Older definitions prepend in the normaliser, newer ones in the pre-tokenizer. */
function addsSpace({ normalizer, pre_tokenizer: cut }: Omit<Definition, 'model'>): boolean {
  if (cut?.type === 'Metaspace') return cut.prepend_scheme !== 'never';
  return JSON.stringify(normalizer ?? null).includes('"Prepend"');
}

/** Whether encoding puts a token in front of each text. */
export function addsInFront(definition: unknown, token: string): boolean {
  const find = (processor: unknown): boolean => {
    const { type, single, processors } = (processor ?? {}) as {
      type?: string;
      single?: { SpecialToken?: { id?: string } }[];
      processors?: unknown[];
    };
    if (type === 'Sequence') return processors?.some(find) ?? false;
    return type === 'TemplateProcessing' && single?.[0]?.SpecialToken?.id === token;
  };
  return find((definition as Definition).post_processor);
}

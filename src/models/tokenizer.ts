import { hash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { Encoding, Tokenizer } from '../spec/tokenizer.ts';
import { wordMerger } from './merge-word.ts';
import { askTokenizer, prepareTokenizer, wakeTokenizers } from './tokenizer-bridge.ts';
import { wordCutOf } from './word-cut.ts';
import { type WordEncoder, wordEncoder } from './word-encoder.ts';

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
}

/** The members of a `tokenizer.json` that are looked at here; all others go to the crate as they are. */
export interface TokenizerDefinition {
  readonly added_tokens?: readonly AddedToken[];
  readonly normalizer?: { readonly type: string } | null;
  readonly pre_tokenizer?: unknown;
  readonly model: {
    readonly dropout?: number | null;
    readonly ignore_merges?: boolean;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
    readonly type?: string;
    readonly unk_token?: string | null;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  };
}

/**
 * Opens the `tokenizer.json` of a model folder.
 * @throws MartletError `tokenizer-missing`, `bad-json` or `tokenizer-failed`
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  wakeTokenizers();
  const file = join(folder, 'tokenizer.json');
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new MartletError('tokenizer-missing', `${folder} has no tokenizer.json`, {
      hint: 'Save it with transformers (AutoTokenizer, use_fast=True, save_pretrained), or import the GGUF of the model.',
    });
  });
  // The hash of bytes takes a thirtieth of that of a string.
  return tokenizerOf({ text: bytes.toString('utf8'), fingerprint: hash('sha256', bytes), file });
}

/** By fingerprint, while somebody holds them: each stage of a walk opens the tokenizer of its model. */
const held = new Map<string, WeakRef<Tokenizer>>();

/** The one of the walk, which nobody holds between two stages; to make it again would take 0.3 s. */
let latest: Tokenizer | undefined;

/** @param text the content of a `tokenizer.json` */
export function tokenizerFrom(text: string, file = 'tokenizer.json'): Tokenizer {
  return tokenizerOf({ text, fingerprint: hash('sha256', text), file });
}

function tokenizerOf(read: { readonly text: string; readonly fingerprint: string; readonly file: string }): Tokenizer {
  const { text, fingerprint, file } = read;
  const known = latest?.fingerprint === fingerprint ? latest : held.get(fingerprint)?.deref();
  latest = known;
  if (known) return known;
  // The crate reads it in its own thread, while this one makes its tables.
  prepareTokenizer({ key: fingerprint, text });
  const made = makeTokenizer(parseDefinition(text, file), fingerprint);
  held.set(fingerprint, new WeakRef(made));
  latest = made;
  return made;
}

function makeTokenizer(definition: TokenizerDefinition, fingerprint: string): Tokenizer {
  const added = definition.added_tokens ?? [];
  const { vocab } = definition.model;
  const ids = new Map<string, number>();
  const tokens: string[] = [];
  const add = (token: string, id: number): void => {
    ids.set(token, id);
    tokens[id] = token;
  };
  // Pairs of them would take as long as all the rest.
  if (isLattice(vocab)) for (const [id, [token]] of vocab.entries()) add(token, id);
  else for (const token in vocab) add(token, vocab[token] as number);
  for (const { content, id } of added) add(content, id);

  const control = added.filter((token) => !isSpace(token.content));
  const ordinary = `${fingerprint}-ordinary`;
  const encodeWith = (key: string, content: string): Encoding => {
    if (content === '') return { ids: new Uint32Array(0), offsets: new Uint32Array(0) };
    return askTokenizer({ kind: 'encode', key, text: content }) as Encoding;
  };
  const encodeWhole = (content: string): Encoding => {
    open(fingerprint, definition);
    return encodeWith(fingerprint, content);
  };
  let words: WordEncoder | null | undefined;
  const encode = (content: string): Encoding => {
    if (words === undefined) words = wordsOf(definition, ids, encodeWhole) ?? null;
    return words?.encode(content) ?? encodeWhole(content);
  };
  return {
    fingerprint,
    vocabularySize: ids.size,
    addedTokens: new Map(added.map(({ content, id, special }) => [content, { id, special }])),
    encode,
    encodeOrdinary: (content) => {
      if (!mayHoldControl(content, definition, control)) return encode(content);
      open(ordinary, withoutControl(definition, control));
      return encodeWith(ordinary, content);
    },
    decode: (list, { skipSpecial = false } = {}) => {
      open(fingerprint, definition);
      const reply = askTokenizer({ kind: 'decode', key: fingerprint, ids: Array.from(list), skipSpecial });
      return 'text' in reply ? reply.text : '';
    },
    idOf: (token) => ids.get(token),
    tokenOf: (id) => tokens[id],
  };
}

type Vocabulary = TokenizerDefinition['model']['vocab'];

/** Of a unigram model, whose ids are the places. */
const isLattice = (vocab: Vocabulary): vocab is Extract<Vocabulary, readonly unknown[]> => Array.isArray(vocab);

/** Encoding by words, where the definition allows it. */
function wordsOf(
  definition: TokenizerDefinition,
  ...[ids, encode]: [ids: ReadonlyMap<string, number>, encode: (text: string) => Encoding]
): WordEncoder | undefined {
  const cut = wordCutOf(definition);
  const added = definition.added_tokens ?? [];
  const separator = added.find((token) => token.special && !token.normalized && !isSpace(token.content));
  if (!cut || !separator) return undefined;
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  return wordEncoder({
    cut,
    nfc: Boolean(definition.normalizer),
    addedIds,
    separator,
    merge: wordMerger(definition, ids),
    encode,
  });
}

const opened = new Set<string>();

function open(key: string, definition: TokenizerDefinition): void {
  if (opened.has(key)) return;
  // It was prepared, or another thread opened it.
  const reply = askTokenizer({ kind: 'has', key });
  if (!('has' in reply && reply.has)) askTokenizer({ kind: 'open', key, text: JSON.stringify(definition) });
  opened.add(key);
}

function parseDefinition(text: string, file: string): TokenizerDefinition {
  try {
    const definition = JSON.parse(text) as TokenizerDefinition;
    if (typeof definition.model.vocab === 'object') return definition;
  } catch (cause) {
    throw new MartletError('bad-json', `${file} is not a tokenizer definition`, { cause });
  }
  throw new MartletError('bad-json', `${file} has no model.vocab`);
}

/** Runs of spaces are added tokens in some vocabularies (Gemma, Phi), and are text all the same. */
function isSpace(content: string): boolean {
  return /^\s+$/.test(content);
}

/** Whether the full tokenizer could give a control token here. A normaliser may make one out of other characters. */
function mayHoldControl(content: string, { normalizer }: TokenizerDefinition, control: readonly AddedToken[]): boolean {
  if (normalizer && normalizer.type !== 'NFC') return true;
  const normal = normalizer ? content.normalize('NFC') : content;
  return control.some((token) => content.includes(token.content) || normal.includes(token.content));
}

/** No text spells this: it is drawn anew in every process. */
const unspellable = randomUUID();

/**
 * The same tokenizer with its control tokens under names that no text spells, so that neither a merge, nor a lattice, nor
 * a match of added tokens gives one. They are renamed, not removed: the crate numbers added tokens in their order.
 */
function withoutControl(definition: TokenizerDefinition, control: readonly AddedToken[]): TokenizerDefinition {
  const gone = new Set(control.map((token) => token.content));
  const rename = (token: string, id: number): string => (gone.has(token) ? `\u0000${unspellable} ${id}` : token);
  const { model } = definition;
  const vocab: TokenizerDefinition['model']['vocab'] = Array.isArray(model.vocab)
    ? model.vocab.map(([token, score], id) => [rename(token, id), score])
    : Object.fromEntries(Object.entries(model.vocab).map(([token, id]) => [rename(token, id), id]));
  const merges = model.merges?.filter((merge) => {
    const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ') : merge;
    return ![left, right, left + right].some((token) => gone.has(token));
  });
  const unknown = control.find((token) => token.content === model.unk_token);
  return {
    ...definition,
    added_tokens: (definition.added_tokens ?? []).map((token) => ({
      ...token,
      content: rename(token.content, token.id),
    })),
    model: {
      ...model,
      vocab,
      ...(merges ? { merges } : {}),
      ...(unknown ? { unk_token: rename(unknown.content, unknown.id) } : {}),
    },
  };
}

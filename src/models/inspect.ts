import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { findChatTemplate } from './chat-template.ts';
import { readJsonObject, readModelConfig } from './config.ts';
import type { ResolvedModel } from './model-cache.ts';

export interface ModelDescription {
  readonly address: string;
  readonly folder: string;
  readonly fingerprint: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly dtype: string;
  /** Of all files. */
  readonly bytes: number;
  readonly licence: string | null;
  /** Null where the engine here cannot compute the architecture; `problem` says why. */
  readonly shape: {
    readonly layers: number;
    readonly hidden: number;
    readonly heads: number;
    readonly keyValueHeads: number;
    readonly contextTokens: number;
    readonly tiedEmbeddings: boolean;
  } | null;
  readonly problem: string | null;
  readonly tokenizer: { readonly kind: string; readonly tokens: number; readonly added: number } | null;
  readonly template: {
    readonly characters: number;
    readonly fingerprint: string;
    readonly specialTokens: Readonly<Record<string, string>>;
  } | null;
}

/** Says what a model is, from its headers and descriptions; no weight is read. */
export async function inspectModel({ folder, address, record }: ResolvedModel): Promise<ModelDescription> {
  const { fingerprint, architecture, parameters, dtype, licence, files } = record;
  const sizes = await Promise.all(Object.keys(files).map(async (file) => (await stat(join(folder, file))).size));
  const config = await readModelConfig(folder).catch((error: unknown) => {
    if (MartletError.is(error)) return error;
    throw error;
  });
  const template = await findChatTemplate(folder);
  return {
    ...{ address, folder, fingerprint, architecture, parameters, dtype, licence },
    bytes: sizes.reduce((total, size) => total + size, 0),
    shape: MartletError.is(config)
      ? null
      : {
          layers: config.num_hidden_layers,
          hidden: config.hidden_size,
          heads: config.num_attention_heads,
          keyValueHeads: config.num_key_value_heads,
          contextTokens: config.max_position_embeddings,
          tiedEmbeddings: config.tie_word_embeddings,
        },
    problem: MartletError.is(config) ? config.message : null,
    tokenizer: await describeTokenizer(folder),
    template: template
      ? { characters: template.source.length, fingerprint: template.fingerprint, specialTokens: template.specialTokens }
      : null,
  };
}

async function describeTokenizer(folder: string): Promise<ModelDescription['tokenizer']> {
  const file = await readJsonObject(join(folder, 'tokenizer.json'));
  if (!file) return null;
  const { model, added_tokens: added } = file as {
    model?: { type?: unknown; vocab?: unknown };
    added_tokens?: unknown;
  };
  const vocabulary = typeof model?.vocab === 'object' && model.vocab !== null ? Object.keys(model.vocab) : [];
  return {
    kind: String(model?.type ?? 'unknown'),
    tokens: vocabulary.length,
    added: Array.isArray(added) ? added.length : 0,
  };
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { readJsonObject } from './config.ts';

/** Where transformers looks first. */
export const templateFile = 'chat_template.jinja';

export interface ChatTemplate {
  /** Jinja. */
  readonly source: string;
  /** What the template sees as variables: `bos_token`, `eos_token` ... */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Of source and special tokens together. */
  readonly fingerprint: string;
}

/**
 * Reads the template as transformers does: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json` (of
 * several the one named `default`).
 * @throws MartletError `template-missing`
 */
export async function readChatTemplate(folder: string): Promise<ChatTemplate> {
  const template = await findChatTemplate(folder);
  if (template) return template;
  throw new MartletError('template-missing', `${folder} has no chat template`, {
    hint: 'Name a Jinja file as render.template in the recipe, or use an instruction-tuned model.',
  });
}

/** The same; undefined when there is none. */
export async function findChatTemplate(folder: string): Promise<ChatTemplate | undefined> {
  const config = await readJsonObject(join(folder, 'tokenizer_config.json'));
  const source = (await textOf(join(folder, templateFile))) ?? templateIn(config?.chat_template);
  if (source === undefined) return undefined;
  const specialTokens = await readSpecialTokens(folder);
  return { source, specialTokens, fingerprint: fingerprint({ source, specialTokens }) };
}

/** `bos_token`, `eos_token` ... by role, from `tokenizer_config.json` and, where that is silent, `special_tokens_map.json`. */
export async function readSpecialTokens(folder: string): Promise<Record<string, string>> {
  const map = await readJsonObject(join(folder, 'special_tokens_map.json'));
  return specialTokensIn({ ...map, ...(await readJsonObject(join(folder, 'tokenizer_config.json'))) });
}

function templateIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { name?: unknown; template?: unknown }[];
  const chosen = named.find((entry) => entry.name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}

/** A token is written as its text, or as an object with `content`. */
function specialTokensIn(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']) {
    const value = config[name];
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    if (typeof content === 'string') found[name] = content;
  }
  return found;
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

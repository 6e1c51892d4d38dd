import { readFile } from 'node:fs/promises';
import { fingerprint } from '../core/fingerprint.ts';
import type { Issue } from '../core/issue.ts';
import {
  checkConformance,
  compileTemplate,
  type EncodedSample,
  type EncodeResult,
  encodePrompt,
  encodeSample,
  type TemplateData,
} from '../render/index.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Message, Sample } from '../schema/sample.ts';
import type { Tokenizer } from '../spec/tokenizer.ts';
import { type ChatTemplate, readChatTemplate, readSpecialTokens } from './chat-template.ts';
import { readModelConfig } from './config.ts';
import { openTokenizer } from './tokenizer.ts';

/** Messages to the ids of one model, the same in training, evaluation and serving. */
export interface Encoder {
  readonly tokenizer: Tokenizer;
  readonly templateFingerprint: string;
  /** Ids a generation ends at. */
  readonly stopTokens: readonly number[];
  sample(sample: Pick<Sample, 'messages' | 'tools'>): EncodeResult;
  /** What is wrong with a row as training data: see `render/conformance.ts`. */
  check(sample: Pick<Sample, 'messages' | 'tools'>): readonly Issue[];
  prompt(request: Pick<Sample, 'messages' | 'tools'>): readonly number[];
  /** Text of an answer, special tokens left out. */
  answer(ids: readonly number[]): string;
}

export type { EncodedSample };

export interface OpenEncoderOptions {
  /** A model folder. */
  readonly folder: string;
  readonly render: Pick<PlanValues['render'], 'template' | 'learn' | 'system'>;
  /** The moment templates that tell the date are told. */
  readonly now: Date;
}

export async function openEncoder(options: OpenEncoderOptions): Promise<Encoder> {
  const { folder, render, now } = options;
  const [tokenizer, config, chat] = await Promise.all([
    openTokenizer(folder),
    readModelConfig(folder),
    openTemplate(folder, render.template),
  ]);
  const template = compileTemplate(chat.source);
  const { specialTokens } = chat;
  const stopTokens = stopTokensOf({ tokenizer, chat, eos: config.eos_token_ids });
  const withSystem = (messages: readonly Message[]): readonly Message[] =>
    render.system === null || messages[0]?.role === 'system' || messages[0]?.role === 'developer'
      ? messages
      : [{ role: 'system', content: render.system }, ...messages];
  const input = ({
    messages,
    tools,
  }: Pick<Sample, 'messages' | 'tools'>): Omit<Parameters<typeof encodeSample>[0], 'learn' | 'stopTokens'> => ({
    template,
    tokenizer,
    messages: withSystem(messages),
    tools: tools as readonly TemplateData[] | undefined,
    specialTokens,
    now,
  });
  return {
    tokenizer,
    templateFingerprint: chat.fingerprint,
    stopTokens,
    sample: (sample) => encodeSample({ ...input(sample), learn: render.learn, stopTokens }),
    check: (sample) => checkConformance({ ...input(sample), learn: render.learn, stopTokens }),
    prompt: (request) => Array.from(encodePrompt(input(request)).ids),
    answer: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
  };
}

async function openTemplate(folder: string, template: string): Promise<ChatTemplate> {
  if (template === 'model') return readChatTemplate(folder);
  const source = await readFile(template, 'utf8');
  const specialTokens = await readSpecialTokens(folder);
  return { source, specialTokens, fingerprint: fingerprint({ source, specialTokens }) };
}

/** The configuration's, and the tokenizer's own end-of-text: models differ in which of the two they keep right. */
function stopTokensOf(request: {
  readonly tokenizer: Tokenizer;
  readonly chat: ChatTemplate;
  readonly eos: readonly number[];
}): readonly number[] {
  const { tokenizer, chat, eos } = request;
  const named = chat.specialTokens.eos_token;
  const id = named === undefined ? undefined : tokenizer.idOf(named);
  return [...new Set([...eos, ...(id === undefined ? [] : [id])])];
}

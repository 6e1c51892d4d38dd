import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import {
  applyAgent,
  checkConformance,
  compileTemplate,
  type EncodedSample,
  type EncodeRequest,
  type EncodeResult,
  encodePrompt,
  encodeRow,
  encodeSample,
  type Finding,
  plainRequest,
  plainTemplate,
  prepareTools,
  type RowResult,
  type TemplateData,
  type ToolCalls,
  toolCallsOf,
} from '../render/index.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Message, Sample } from '../schema/sample.ts';
import type { ChatBody } from '../spec/prompt-engine.ts';
import type { Tokenizer } from '../spec/tokenizer.ts';
import { type ChatTemplate, readChatTemplate, readSpecialTokens } from './chat-template.ts';
import { readJsonObject, readModelConfig } from './config.ts';
import { templateIssues } from './template-issues.ts';
import { openTokenizer } from './tokenizer.ts';

/** What of a sample is rendered. */
export type Conversation = Pick<Sample, 'messages' | 'tools' | 'plain' | 'variables'>;

/** Messages to the ids of one model, the same in training, evaluation and serving. */
export interface Encoder {
  readonly tokenizer: Tokenizer;
  readonly templateFingerprint: string;
  /** Ids a generation ends at. */
  readonly stopTokens: readonly number[];
  sample(sample: Conversation): EncodeResult;
  /** The same as the documents it is learned from: several where the template rewrites it and the recipe says to split. */
  row(sample: Conversation): RowResult;
  /** What is wrong with a row as training data: see `render/conformance.ts`. */
  check(sample: Conversation): readonly Finding[];
  prompt(request: Conversation): readonly number[];
  /** The conversation as an engine that renders by itself must be asked: the system message and the tools written out. */
  handedOn(request: ChatBody): ChatBody;
  /** The Jinja it renders by. */
  readonly templateSource: string;
  /** Text of an answer, special tokens left out. */
  answer(ids: readonly number[]): string;
  /** What the model does with tools, and how its calls are read. */
  toolCalls(): ToolCalls;
}

export type { EncodedSample };

/** What a plan says of rendering; what is absent is as the schema's default. */
export type RenderOptions = Pick<PlanValues['render'], 'template' | 'learn' | 'system'> &
  Partial<Pick<PlanValues['render'], 'weights' | 'rewritten' | 'controlTokens' | 'agent'>>;

export interface OpenEncoderOptions {
  /** A model folder. */
  readonly folder: string;
  readonly render: RenderOptions;
  /** The moment templates that tell the date are told. */
  readonly now: Date;
}

/** The day of a moment, in UTC. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10);

/** What shards tell templates of a day: the same at any hour, so that a row is the same tokens all day. */
export const noonOf = (day: string): Date => new Date(`${day}T12:00:00Z`);

export async function openEncoder(options: OpenEncoderOptions): Promise<Encoder> {
  const { folder, render, now } = options;
  const [tokenizer, config, chat] = await Promise.all([
    openTokenizer(folder),
    readModelConfig(folder),
    openTemplate(folder, render.template),
  ]);
  const template = compileTemplate(chat.source);
  const { specialTokens } = chat;
  const stopTokens = stopTokensOf({ tokenizer, specialTokens, eos: config.eos_token_ids });
  const withSystem = (messages: readonly Message[]): readonly Message[] =>
    render.system === null || messages[0]?.role === 'system' || messages[0]?.role === 'developer'
      ? messages
      : [{ role: 'system', content: render.system }, ...messages];
  const { learn, weights, rewritten, controlTokens, agent = 'none' } = render;
  const plain = plainTemplate(chat.source);
  let toolCalls: ToolCalls | undefined;
  const input = ({ messages, tools, variables }: Conversation): Omit<EncodeRequest, 'learn' | 'stopTokens'> => ({
    template,
    tokenizer,
    ...applyAgent(agent, {
      messages: withSystem(messages),
      tools: prepareTools(tools as readonly TemplateData[] | undefined),
    }),
    variables,
    specialTokens,
    controlTokens,
    now,
  });
  const request = (sample: Conversation): EncodeRequest => {
    const chatRequest = { ...input(sample), learn, weights, stopTokens };
    return sample.plain ? plainRequest(chatRequest, { template: plain, messages: sample.messages }) : chatRequest;
  };
  return {
    tokenizer,
    templateSource: chat.source,
    templateFingerprint: chat.fingerprint,
    stopTokens,
    sample: (sample) => encodeSample(request(sample)),
    row: (sample) => encodeRow({ ...request(sample), rewritten }),
    check: (sample) => checkConformance({ ...request(sample), rewritten }),
    prompt: (conversation) => Array.from(encodePrompt(input(conversation)).ids),
    handedOn: ({ messages, tools, ...rest }) => {
      const written = applyAgent(agent, {
        messages: withSystem(messages as unknown as readonly Message[]),
        tools: agent === 'none' ? undefined : prepareTools(tools as readonly TemplateData[] | undefined),
      });
      const offered = agent === 'none' && tools ? { tools } : {};
      return { ...rest, ...offered, messages: written.messages as ChatBody['messages'] };
    },
    toolCalls: () => (toolCalls ??= toolCallsOf({ template, specialTokens, agent, tokenizer })),
    answer: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
  };
}

/** An encoder as the shards ask for it: the first document of a row, and the others where it is split. */
export function encodeDocuments(encoder: Encoder): (sample: Conversation) => EncodedDocuments {
  return (sample) => {
    const row = encoder.row(sample);
    if (!row.ok) return row;
    const [first, ...more] = row.documents.map(({ value }) => value);
    if (first) return { ok: true, value: first, more };
    throw new MartletError('bug', 'a row without an issue gave no document');
  };
}

export type EncodedDocuments =
  | { readonly ok: true; readonly value: EncodedSample; readonly more: readonly EncodedSample[] }
  | Extract<RowResult, { ok: false }>;

async function openTemplate(folder: string, template: string): Promise<ChatTemplate> {
  if (template === 'model') return readChatTemplate(folder);
  const issues = await templateIssues(template);
  if (issues.length > 0) throw issuesError('render.template', issues);
  const source = await readFile(template, 'utf8');
  const specialTokens = await readSpecialTokens(folder);
  return { source, specialTokens, fingerprint: fingerprint({ source, specialTokens }) };
}

/** Ids that generation ends at, for a folder that may hold a tokenizer alone. */
export async function readStopTokens(
  folder: string,
  {
    tokenizer,
    specialTokens,
  }: { readonly tokenizer: Tokenizer; readonly specialTokens: ChatTemplate['specialTokens'] },
): Promise<readonly number[]> {
  const hasConfig = (await readJsonObject(join(folder, 'config.json'))) !== undefined;
  const eos = hasConfig ? (await readModelConfig(folder)).eos_token_ids : [];
  return stopTokensOf({ tokenizer, specialTokens, eos });
}

/** The configuration's, and the tokenizer's own end-of-text: models differ in which of the two they keep right. */
function stopTokensOf(request: {
  readonly tokenizer: Tokenizer;
  readonly specialTokens: ChatTemplate['specialTokens'];
  readonly eos: readonly number[];
}): readonly number[] {
  const { tokenizer, specialTokens, eos } = request;
  const named = specialTokens.eos_token;
  const id = named === undefined ? undefined : tokenizer.idOf(named);
  return [...new Set([...eos, ...(id === undefined ? [] : [id])])];
}

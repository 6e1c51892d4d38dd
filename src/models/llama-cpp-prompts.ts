import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { openVocabularyWithLlamaCpp } from '../envs/llama-cpp.ts';
import { compileTemplate, renderPrompt, type TemplateData } from '../render/index.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import { openGguf } from './gguf.ts';
import { exportGgufVocabulary } from './gguf-write.ts';

export interface LlamaCppPromptsOptions {
  /** The model in safetensors; what an export of it as GGUF says of tokenizer and template is what is asked. */
  readonly modelFolder: string;
  /** Jinja that stands in the export instead of the model's own. */
  readonly template?: string | undefined;
  /** The moment templates that tell the date are told. */
  readonly now: Date;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
}

/**
 * The prompts of llama.cpp on an export of the model: the chat template in the file, and text cut by llama.cpp itself, as its
 * server does it, where a control token that a message spells is that token. The template is rendered by Martlet's Jinja.
 * @throws MartletError `environment-missing`, `unsupported-tokenizer`, `gguf-refused`
 */
export async function llamaCppPrompts(options: LlamaCppPromptsOptions): Promise<PromptEngine> {
  const { modelFolder, now, env, home } = options;
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-vocabulary-'));
  try {
    const file = join(scratch, 'vocabulary.gguf');
    await exportGgufVocabulary({ modelFolder, file, template: options.template });
    const { source, specialTokens } = await templateIn(file);
    const template = compileTemplate(source);
    const vocabulary = await openVocabularyWithLlamaCpp({ file, env, ...(home !== undefined && { home }) });
    return {
      name: 'llama.cpp',
      async promptIds({ messages, tools, chat_template_kwargs: variables }) {
        const request = { template, specialTokens, now, variables, messages };
        return vocabulary.tokenize(renderPrompt({ ...request, tools: tools as readonly TemplateData[] | undefined }));
      },
      async [Symbol.asyncDispose]() {
        await vocabulary[Symbol.asyncDispose]();
        await rm(scratch, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

async function templateIn(
  file: string,
): Promise<{ readonly source: string; readonly specialTokens: Record<string, string> }> {
  await using gguf = await openGguf(file);
  const source = gguf.metadata.get('tokenizer.chat_template');
  if (typeof source !== 'string') throw new MartletError('template-missing', 'the GGUF would hold no chat template');
  const tokens = gguf.metadata.get('tokenizer.ggml.tokens') as readonly string[];
  const specialTokens: Record<string, string> = {};
  for (const name of ['bos', 'eos']) {
    const token = tokens[Number(gguf.metadata.get(`tokenizer.ggml.${name}_token_id`))];
    if (token !== undefined) specialTokens[`${name}_token`] = token;
  }
  return { source, specialTokens };
}

import { MartletError } from '../core/error.ts';
import { martletHome } from '../envs/home.ts';
import { readyEnvironment } from '../envs/index.ts';
import type { Encoder } from '../models/encoder.ts';
import type { AbsentEngine } from '../models/gate.ts';
import { llamaCppPrompts } from '../models/llama-cpp-prompts.ts';
import { servedPrompts } from '../pipeline.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';

export interface PresentEngines extends AsyncDisposable {
  readonly engines: readonly PromptEngine[];
  readonly absent: readonly AbsentEngine[];
  /** Engines that read a format the recipe does not export. */
  readonly warnOnly: readonly string[];
}

/** The serving engines that can be asked on this machine for their prompts, and by name those that cannot. */
export async function presentEngines(request: {
  readonly folder: string;
  readonly serving: Encoder;
  /** `export.formats` of the plan. */
  readonly formats: readonly string[];
  readonly now: Date;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<PresentEngines> {
  const { folder, serving, formats, now, env } = request;
  const engines: PromptEngine[] = [servedPrompts(serving)];
  const absent: AbsentEngine[] = [];
  if (readyEnvironment({ name: 'llama-cpp', home: martletHome(env) }))
    try {
      const engine = await llamaCppPrompts({ modelFolder: folder, template: serving.templateSource, now, env });
      engines.push(behind(serving, engine));
    } catch (error) {
      // llama.cpp cannot serve such a model at all: that is no finding about the rows.
      if (!MartletError.is(error)) throw error;
      absent.push({ name: 'llama.cpp', reason: error.message });
    }
  else absent.push({ name: 'llama.cpp', reason: 'its environment is not there: martlet setup llama-cpp' });
  for (const name of ['vLLM', 'SGLang']) absent.push({ name, reason: 'this version of Martlet does not start it' });
  return {
    engines,
    absent,
    warnOnly: formats.includes('gguf') ? [] : ['llama.cpp'],
    async [Symbol.asyncDispose]() {
      await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
    },
  };
}

/** An engine that renders by itself, asked as the gateway in front of it asks. */
function behind(gateway: Encoder, engine: PromptEngine): PromptEngine {
  return { ...engine, promptIds: (body) => engine.promptIds(gateway.handedOn(body)) };
}

import { mkdir, rm } from 'node:fs/promises';
import { environmentModule } from '../envs/index.ts';
import { openGgufWithLlamaCpp } from '../envs/llama-cpp.ts';
import { importGguf } from '../models/gguf-import.ts';
import type { Behaviour } from './certify.ts';

export interface ReadGgufRequest {
  readonly file: string;
  /** A folder that may be used and is removed. */
  readonly scratch: string;
  readonly rows: readonly { readonly ids: readonly number[]; readonly prompt: readonly number[] }[];
  readonly stopTokens: readonly number[];
  readonly answerTokens: number;
  readonly threads: number;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly observe: (baseFolder: string) => Promise<Behaviour>;
}

/** What a GGUF says: in llama.cpp when its environment is there, else imported again and asked in our own engine. */
export async function readGguf(
  request: ReadGgufRequest,
): Promise<{ readonly after: Behaviour; readonly reader: string }> {
  const { file, scratch, rows, threads, home, env } = request;
  try {
    const hasLlamaCpp = await environmentModule({ name: 'llama-cpp', env, home }, 'node-llama-cpp').then(
      () => true,
      () => false,
    );
    if (!hasLlamaCpp) {
      await rm(scratch, { recursive: true, force: true });
      await mkdir(scratch, { recursive: true });
      await importGguf({ file, folder: scratch });
      return {
        after: await request.observe(scratch),
        reader: 'embedded, after importing it again (martlet setup llama-cpp lets llama.cpp read it)',
      };
    }
    const contextTokens =
      Math.max(...rows.map(({ ids, prompt }) => Math.max(ids.length, prompt.length + request.answerTokens))) + 1;
    await using model = await openGgufWithLlamaCpp({ file, threads, contextTokens, env, home });
    const logits: Float32Array[] = [];
    const answers: (readonly number[])[] = [];
    for (const { ids, prompt } of rows) {
      const positions = await model.logits(ids);
      const flat = new Float32Array(positions.length * model.vocabularySize);
      positions.forEach((row, index) => {
        flat.set(row, index * model.vocabularySize);
      });
      logits.push(flat);
      answers.push(
        (await model.complete({ prompt, maxTokens: request.answerTokens, stopTokens: request.stopTokens })).ids,
      );
    }
    return { after: { logits, answers }, reader: 'llama.cpp (node-llama-cpp)' };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { openGgufWithLlamaCpp } from '../../src/envs/llama-cpp.ts';
import { openSafetensors } from '../../src/models/safetensors.ts';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import { certificate as certificateDocument, type Model } from '../../src/schema/model.ts';
import { oracle } from './oracle.ts';

const run = promisify(execFile);
const martlet = fileURLToPath(new URL('../../bin/martlet', import.meta.url));

/** Runs `martlet <line>` as a process of its own. @returns what it printed; throws with `code` and `stderr` when it failed. */
export async function runMartlet(line: readonly string[], options: { readonly cwd: string; readonly store: string }) {
  const env = { ...process.env, MARTLET_STORE: options.store };
  return run(process.execPath, [martlet, ...line], { cwd: options.cwd, env, maxBuffer: 1 << 24 });
}

/** The most two readers of the same export may differ in a logit, of the largest there is. */
export interface ExportFigures {
  readonly formats: readonly string[];
  /** As the certificates have it: in logits, by format. */
  readonly certified: Readonly<Record<string, number>>;
  /** transformers on the safetensors folder against transformers and peft on base and adapter. */
  readonly transformers: number | undefined;
  /** llama.cpp on the GGUF against transformers on the safetensors folder. */
  readonly llamaCpp: number | undefined;
  /** How far the training moved the logits: what a wrong export would be off by. */
  readonly learned: number;
}

const text = '<|im_start|>user\n{"symbol": "SAP", "close": 59}<|im_end|>\n<|im_start|>assistant\nSAP closed at 59.';

/** Reads an exported model with the libraries that it is made for, and compares what they say of one text. */
export async function checkExport(request: {
  readonly folder: string;
  readonly scratch: string;
}): Promise<ExportFigures> {
  const { folder, scratch } = request;
  const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as Model;
  const certified: Record<string, number> = {};
  for (const format of model.formats) {
    const read = JSON.parse(await readFile(join(folder, format, 'certificate.json'), 'utf8'));
    const certificate = certificateDocument.parse(read);
    expect(certificate.passed).toBe(true);
    expect(certificate.rows).toHaveLength(3);
    expect(certificate.greedyAnswersEqual).toBe(3);
    certified[format] = certificate.maxLogitDifference;
  }
  const ids = [...(await openTokenizer(model.base)).encode(text).ids];
  const exported = join(folder, 'safetensors');
  expect([...(await openTokenizer(exported)).encode(text).ids]).toEqual(ids);
  const logits = async (name: string, from: { readonly model: string; readonly adapter?: string }) => {
    const out = join(scratch, `${name}.safetensors`);
    const answer = await oracle<{ missing: string[]; unexpected: string[] }>('logits', {
      ...from,
      sequences: [ids],
      out,
    });
    expect(answer).toMatchObject({ missing: [], unexpected: [] });
    await using file = await openSafetensors(out);
    return file.readFloat32('logits.0');
  };
  const merged = await logits('merged', { model: exported });
  const learned = difference(await logits('base', { model: model.base }), merged);
  const withAdapter = model.formats.includes('adapter')
    ? await logits('adapter', { model: model.base, adapter: join(folder, 'adapter') })
    : undefined;
  await using file = await openGgufWithLlamaCpp({
    file: join(folder, 'gguf', 'model-f32.gguf'),
    threads: 1,
    contextTokens: ids.length + 1,
    env: process.env,
  });
  expect(file.tokenize(text, { special: true })).toEqual(ids);
  const rows = await file.logits(ids);
  const theirs = new Float32Array(merged.length);
  for (const [index, row] of rows.entries()) theirs.set(row, index * row.length);
  return {
    formats: model.formats,
    certified,
    transformers: withAdapter && difference(withAdapter, merged),
    llamaCpp: difference(theirs, merged),
    learned,
  };
}

function difference(ours: Float32Array, theirs: Float32Array): number {
  expect(ours).toHaveLength(theirs.length);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < theirs.length; i++) {
    const expected = theirs[i] as number;
    worst = Math.max(worst, Math.abs((ours[i] as number) - expected));
    largest = Math.max(largest, Math.abs(expected));
  }
  return worst / largest;
}

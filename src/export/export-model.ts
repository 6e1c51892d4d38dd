import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { copyModelFiles } from '../engine/checkpoint-files.ts';
import { templateFile } from '../models/chat-template.ts';
import { exportGguf } from '../models/gguf-write.ts';
import type { Certificate, Model } from '../schema/model.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { type Behaviour, certify } from './certify.ts';
import { mergeAdapter, writeFloat32Config } from './merge.ts';
import { modelCard } from './model-card.ts';
import { readGguf } from './read-gguf.ts';

export interface ExportRequest {
  /** An empty folder. */
  readonly folder: string;
  readonly values: PlanValues;
  readonly planFile: string;
  readonly baseFolder: string;
  readonly checkpointFolder: string;
  readonly model: Omit<Model, 'schema' | 'formats'>;
  /** Held-out rows the certificate compares: all tokens, and those of the prompt. */
  readonly rows: readonly {
    readonly id: string;
    readonly ids: readonly number[];
    readonly prompt: readonly number[];
  }[];
  readonly stopTokens: readonly number[];
  readonly engine: TrainEngine;
  readonly threads: number;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Longest greedy answer that is compared. */
const answerTokens = 32;

/**
 * Writes each format asked for, reads it back and compares it with what was trained.
 * @throws MartletError `export-unproven` when a format is asked for and no row is held out; `export-differs`, naming the format, the row and by how much: nothing is kept then.
 */
export async function exportModel(request: ExportRequest): Promise<readonly Certificate[]> {
  const { folder, values, rows } = request;
  const { formats, tolerance } = values.export;
  if (formats.length > 0 && rows.length === 0)
    throw new MartletError('export-unproven', 'no row is held out, so nothing would show that the export is right', {
      hint: 'Hold some rows out: data.split.share or data.split.heldOut.',
    });
  const { baseFolder, checkpointFolder } = request;
  // Nothing to compare with when nothing is to be written.
  const before = formats.length > 0 ? await observe(request, { baseFolder, checkpointFolder }) : nothingSaid;
  const certificates: Certificate[] = [];
  // Formats build on one another: a GGUF is made from the merged weights.
  const merged = join(folder, 'safetensors');
  const order = (['adapter', 'safetensors', 'gguf'] as const).filter((format) => formats.includes(format));
  for (const format of order) {
    request.signal?.throwIfAborted();
    request.log(`Exporting ${format}`);
    const target = join(folder, format);
    await mkdir(target, { recursive: true });
    const { after, reader } = await writeFormat(request, { format, target, merged });
    const { certificate, worstRow } = certify({
      format,
      rows: rows.map(({ id }) => id),
      before,
      after,
      tolerance,
      reader,
    });
    await writeFile(join(target, 'certificate.json'), `${JSON.stringify(certificate, null, 2)}\n`);
    if (!certificate.passed) throw differs(certificate, worstRow);
    certificates.push(certificate);
  }
  const model: Model = { schema: 'model/1', ...request.model, formats: order };
  await writeFile(join(folder, 'model.json'), `${JSON.stringify(model, null, 2)}\n`);
  await writeFile(join(folder, 'README.md'), modelCard({ model, values, certificates }));
  return certificates;
}

const nothingSaid: Behaviour = { logits: [], answers: [] };

function differs({ format, maxLogitDifference, tolerance }: Certificate, worstRow: string | undefined): MartletError {
  return new MartletError(
    'export-differs',
    `the ${format} export is not what was trained: on row ${worstRow} a logit differs by ${maxLogitDifference.toPrecision(3)}, where ${tolerance} is allowed`,
    { hint: 'Nothing was exported. Report it; export.tolerance says how much is allowed.' },
  );
}

interface Written {
  readonly after: Behaviour;
  readonly reader: string;
}

async function writeFormat(
  request: ExportRequest,
  how: { readonly format: Certificate['format']; readonly target: string; readonly merged: string },
): Promise<Written> {
  const { format, target, merged } = how;
  const { baseFolder, checkpointFolder, values } = request;
  const reader = `${request.engine.name} (${request.engine.version})`;
  switch (format) {
    case 'adapter': {
      for (const name of ['adapter_config.json', 'adapter_model.safetensors'])
        await copyFile(join(checkpointFolder, name), join(target, name));
      await writeTemplate(values, target);
      return { after: await observe(request, { baseFolder, checkpointFolder: target }), reader };
    }
    case 'safetensors': {
      await writeMerged(request, target);
      return { after: await observe(request, { baseFolder: target, checkpointFolder: null }), reader };
    }
    case 'gguf': {
      // Made beside when the merged weights themselves are not wanted.
      const source = values.export.formats.includes('safetensors') ? merged : join(target, '.merged');
      if (source !== merged) {
        await mkdir(source, { recursive: true });
        await writeMerged(request, source);
      }
      const file = join(target, 'model-f32.gguf');
      await exportGguf({ modelFolder: source, file, dtype: 'F32', name: values.name, signal: request.signal });
      return readGguf({
        ...request,
        file,
        scratch: join(target, '.merged'),
        answerTokens,
        observe: (baseFolder) => observe(request, { baseFolder, checkpointFolder: null }),
      });
    }
  }
}

async function writeMerged(request: ExportRequest, folder: string): Promise<void> {
  const { baseFolder, checkpointFolder, values } = request;
  if (values.adapter.kind === 'lora') await mergeAdapter({ baseFolder, adapterFolder: checkpointFolder, folder });
  else {
    await copyFile(join(checkpointFolder, 'model.safetensors'), join(folder, 'model.safetensors'));
    await copyModelFiles(checkpointFolder, folder);
    await writeFloat32Config(folder);
  }
  await writeTemplate(values, folder);
}

/** A template of the recipe's own goes with the model, so that who serves it renders as training did. */
async function writeTemplate({ render }: PlanValues, folder: string): Promise<void> {
  if (render.template !== 'model') await copyFile(render.template, join(folder, templateFile));
}

/** Loads a model in an engine of its own and asks it. Without a checkpoint it answers as the base it was given. */
async function observe(
  request: ExportRequest,
  how: { readonly baseFolder: string; readonly checkpointFolder: string | null },
): Promise<Behaviour> {
  await using session: TrainSession = await request.engine.start({ signal: request.signal });
  await session.load({
    planFile: request.planFile,
    baseFolder: how.baseFolder,
    shardsFolder: null,
    checkpointFolder: how.checkpointFolder,
    purpose: 'inference',
  });
  const base = how.checkpointFolder === null;
  const { sequences } = await session.score({ sequences: request.rows.map(({ ids }) => ids), logits: true, base });
  const { completions } = await session.generate({
    prompts: request.rows.map(({ prompt }) => prompt),
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 0, maxTokens: answerTokens, stopTokens: request.stopTokens },
    base,
  });
  return {
    logits: sequences.map(({ logits }) => logits ?? new Float32Array()),
    answers: completions.map(({ ids }) => ids),
  };
}

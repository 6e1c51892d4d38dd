import { join } from 'node:path';
import { methodNamed } from '../methods/index.ts';
import { encodeDocuments, openEncoder } from '../models/encoder.ts';
import { dataset as datasetDocument } from '../schema/dataset.ts';
import type { Plan } from '../schema/plan.ts';
import { artefactInput } from '../store/open-store.ts';
import { readSamples } from '../store/read-samples.ts';
import { type Base, baseInput, make, readJson, type StageDeps } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { buildShards } from './build-shards.ts';

export interface ShardInputs {
  readonly plan: Plan;
  readonly base: Base;
  readonly dataset: Artefact;
}

/** Reads the dataset's rows; writes ids, weights and what is computed in which step: `shards/<name>@<n>/`. */
export async function shardStage(deps: StageDeps, { plan, base, dataset }: ShardInputs): Promise<Artefact> {
  const { render, train, data, method, name } = plan.values;
  const { epochs, maxSteps, rowsPerStep, seed } = train;
  const { packTokens } = plan.execution;
  const encoder = await openEncoder({ folder: base.folder, render, now: deps.clock() });
  const { tokenizer, templateFingerprint, stopTokens } = encoder;
  const layout = methodNamed(method.name).layout;
  const of = {
    render,
    budget: data.budget,
    epochs,
    maxSteps,
    rowsPerStep,
    seed,
    packTokens,
    layout,
    stopTokens,
    template: templateFingerprint,
    tokenizer: tokenizer.fingerprint,
  };
  return make(deps, { kind: 'shards', name, of, inputs: [artefactInput(dataset), baseInput(base)] }, async (folder) => {
    const built = await buildShards({
      values: plan.values,
      packTokens,
      dataset: datasetDocument.parse(await readJson(join(dataset.folder, 'dataset.json'))),
      samples: () => readSamples(dataset.folder, { signal: deps.signal }),
      encode: encodeDocuments(encoder),
      folder,
      tokenizerFingerprint: tokenizer.fingerprint,
      templateFingerprint,
      stopTokens,
      layout,
      signal: deps.signal,
    });
    return { splits: built.splits, lost: built.lost.length, truncated: built.truncated, split: built.split };
  });
}

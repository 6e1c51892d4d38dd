import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../core/fingerprint.ts';
import { openEncoder } from '../models/encoder.ts';
import type { Plan } from '../schema/plan.ts';
import type { DatasetRows } from '../store/dataset/dataset-rows.ts';
import { inWorkFolder } from '../store/files/work-folder.ts';
import { codeVersion } from '../store/made-by.ts';
import { artefactInput } from '../store/open-store.ts';
import { lossCurve, readEvents } from '../store/runs/run-events.ts';
import { heldOutDocuments, openShards } from '../store/shards/shard-reader.ts';
import { type Base, lastCheckpoint, make, type StageDeps, writeJson } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { evaluateRun, promptMessages } from './evaluate.ts';
import { keptAnswers } from './kept-answers.ts';
import { reportPage } from './report-page.ts';

export interface EvalInputs {
  readonly plan: Plan;
  readonly base: Base;
  readonly planned: Artefact;
  readonly dataset: Artefact;
  readonly rows: DatasetRows;
  readonly shards: Artefact;
  readonly run: Artefact;
}

/** Reads the held-out rows and the run's last checkpoint; writes base against tuned: `reports/<name>@<n>/`. */
export async function evalStage(deps: StageDeps, inputs: EvalInputs): Promise<Artefact> {
  const { plan, base, planned, dataset, rows, shards, run } = inputs;
  const { eval: values, name, render } = plan.values;
  const read = [run, shards, dataset].map(artefactInput);
  return make(deps, { kind: 'report', name, of: values, inputs: read }, async (folder) => {
    await using session = await deps.engine.start({ signal: deps.signal });
    const checkpoint = lastCheckpoint(run);
    await session.load({
      planFile: join(planned.folder, 'plan.json'),
      baseFolder: base.folder,
      shardsFolder: shards.folder,
      checkpointFolder: join(run.folder, checkpoint),
      purpose: 'inference',
    });
    const encoder = await openEncoder({ folder: base.folder, render, now: deps.clock() });
    using reader = await openShards(shards.folder);
    const heldOut = await Array.fromAsync(rows.samples({ split: 'heldout', signal: deps.signal }));
    const work = { parent: join(deps.store.root, 'work'), key: await workKey() };
    const { report, samples } = await inWorkFolder(work, async (kept) =>
      evaluateRun({
        kept: await keptAnswers(join(kept, 'answers.jsonl')),
        session,
        run: run.address,
        checkpoint,
        samples: heldOut,
        encodePrompt: (sample) => encoder.prompt({ ...sample, messages: promptMessages(sample) }),
        decode: (ids) => encoder.answer(ids),
        values,
        stopTokens: encoder.stopTokens,
        lossCurve: lossCurve(await readEvents(join(run.folder, 'events.jsonl'))),
        heldOutTokens: heldOutDocuments(reader).map(({ weights }) => weights.filter((weight) => weight > 0).length),
        seed: plan.values.train.seed,
        signal: deps.signal,
        onProgress: ({ model, done, rows }) => deps.onProgress({ what: `answers of ${model}`, done, of: rows }),
      }),
    );
    await writeJson(join(folder, 'report.json'), report);
    await writeFile(join(folder, 'samples.jsonl'), samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
    await writeFile(join(folder, 'report.html'), reportPage({ report, samples }));
    return { checkpoint };
  });

  /** All that an answer and its scores hang on. */
  async function workKey(): Promise<string> {
    const { name: engine, version } = deps.engine;
    const inputs = read.map((input) => input.fingerprint);
    return fingerprint({ kind: 'answers', values, inputs, engine, version, code: await codeVersion() });
  }
}

import { join } from 'node:path';
import type { Plan } from '../schema/plan.ts';
import { artefactInput } from '../store/open-store.ts';
import { heldOutDocuments, openShards, type ShardReader } from '../store/shards/shard-reader.ts';
import { type Base, baseInput, lastCheckpoint, make, type StageDeps, threadsOf } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { type ExportRequest, exportModel } from './export-model.ts';

export interface ExportInputs {
  readonly plan: Plan;
  readonly base: Base;
  readonly planned: Artefact;
  readonly shards: Artefact;
  readonly run: Artefact;
}

/** Reads the run's last checkpoint and the base; writes each format with its certificate: `models/<name>@<n>/`. */
export async function exportStage(deps: StageDeps, inputs: ExportInputs): Promise<Artefact> {
  const { plan, base, planned, shards, run } = inputs;
  const { values } = plan;
  const read = [artefactInput(run), artefactInput(shards), baseInput(base)];
  return make(
    deps,
    { kind: 'model', name: values.name, of: values.export, inputs: read, reread: true },
    async (folder) => {
      using reader = await openShards(shards.folder);
      const checkpoint = lastCheckpoint(run);
      const certificates = await exportModel({
        folder,
        values,
        planFile: join(planned.folder, 'plan.json'),
        baseFolder: base.folder,
        checkpointFolder: join(run.folder, checkpoint),
        model: {
          base: base.folder,
          baseAddress: base.address,
          baseFingerprint: base.fingerprint,
          run: run.address,
          checkpoint,
          planHash: plan.hash,
        },
        rows: certifyRows(reader, values.export.certifyRows),
        stopTokens: reader.manifest.stopTokens,
        engine: deps.engine,
        threads: threadsOf(plan),
        home: deps.home,
        env: deps.env,
        log: deps.log,
        signal: deps.signal,
      });
      return {
        checkpoint,
        certificates: certificates.map(({ format, maxLogitDifference }) => ({ format, maxLogitDifference })),
      };
    },
  );
}

/** The first held-out documents; the prompt is what comes before the first learned token. */
function certifyRows(reader: ShardReader, count: number): ExportRequest['rows'] {
  return heldOutDocuments(reader)
    .slice(0, count)
    .map(({ ids, weights, index }) => {
      const learned = weights.findIndex((weight) => weight > 0);
      return {
        id: reader.rowOf('heldout', index).id,
        ids: Array.from(ids),
        prompt: Array.from(ids.subarray(0, Math.max(1, learned))),
      };
    });
}

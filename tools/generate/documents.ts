import type { z } from 'zod';
import { documentJsonSchema, recipeJsonSchema, type SchemaNode } from '../../src/recipe/index.ts';
import * as schemas from '../../src/schema/index.ts';

export interface DocumentRow {
  /** Kebab-case; the file is `schema/<name>.schema.json`. */
  readonly name: string;
  /** Where such a document stands. */
  readonly stands: string;
  readonly schema: SchemaNode;
}

const stored = (name: string, stands: string, schema: z.ZodType): DocumentRow => ({
  name,
  stands,
  schema: documentJsonSchema(schema, 'output'),
});

/** Every document, along the path. */
export const documents: readonly DocumentRow[] = [
  { name: 'recipe', stands: '`recipe.yaml`, written by a person', schema: recipeJsonSchema() },
  stored('plan', '`plans/<name>@<n>/plan.json`', schemas.plan),
  stored('dataset', '`datasets/<name>@<n>/dataset.json`', schemas.dataset),
  stored('sample', 'lines of `datasets/<name>@<n>/rows.jsonl`', schemas.sample),
  stored('ledger-entry', 'lines of `datasets/<name>@<n>/ledger.jsonl`', schemas.ledgerEntry),
  stored('streamed-dataset', '`datasets/<name>@<n>/streamed.json`', schemas.streamedDataset),
  stored('dataset-piece', 'lines of `datasets/<name>@<n>/pieces.jsonl`', schemas.datasetPiece),
  stored('shards', '`shards/<name>@<n>/shards.json`', schemas.shards),
  stored('run', '`runs/<name>@<n>/run.json`', schemas.run),
  stored('event', 'lines of `runs/<name>@<n>/events.jsonl`', schemas.runEvent),
  stored('checkpoint', '`runs/<name>@<n>/checkpoints/step-<n>/checkpoint.json`', schemas.checkpoint),
  stored('report', '`reports/<name>@<n>/report.json`', schemas.report),
  stored('eval-sample', 'lines of `reports/<name>@<n>/samples.jsonl`', schemas.evalSample),
  stored('model', '`models/<name>@<n>/model.json`', schemas.model),
  stored('certificate', '`models/<name>@<n>/<format>/certificate.json`', schemas.certificate),
  stored('base-model', '`model.json` beside a base model in the cache', schemas.baseModel),
  stored('deployment', '`deployments/<name>@<n>/deployment.json`', schemas.deployment),
  stored('capture', 'lines of `captures/<name>.jsonl`', schemas.capture),
  stored('judgement', 'the content of an audit record of kind `judgement`', schemas.judgement),
  stored('audit-record', 'lines of `audit/log.jsonl`', schemas.auditRecord),
  stored('lineage', '`lineage.json` in the folder of every artefact', schemas.lineage),
];

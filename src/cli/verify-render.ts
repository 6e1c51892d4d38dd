import { MartletError } from '../core/error.ts';
import { martletHome } from '../envs/home.ts';
import { openEncoder } from '../models/encoder.ts';
import { drawRows, type GateReport, runGate } from '../models/gate.ts';
import { resolveModel } from '../models/resolve.ts';
import { readSources, refuseLosses, rowDocuments } from '../pipeline.ts';
import { type Fate, fates } from '../schema/fates.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import type { CliContext } from './context.ts';
import { loadPlan } from './load-plan.ts';
import { presentEngines } from './present-engines.ts';
import { sourceReading } from './source-reading.ts';

export interface VerifyRenderRequest {
  readonly file: string;
  readonly flags: readonly string[];
  readonly base?: string | undefined;
  /** Rows looked at, drawn over all. */
  readonly rows: number;
}

export interface VerifyRenderReport extends GateReport {
  /** Why the shards of these rows would be refused; null where they would not be. */
  readonly refused: { readonly code: string; readonly message: string; readonly fix: string | null } | null;
}

/**
 * The conformance gate on the documents that shards would hold of the rows of a recipe, without training.
 * @throws MartletError `nothing-to-train` where no row is kept
 */
export async function verifyRender(context: CliContext, request: VerifyRenderRequest): Promise<VerifyRenderReport> {
  const { cwd, env, signal } = context;
  const { plan, atPlaces } = await loadPlan({ file: request.file, flags: request.flags, base: request.base, context });
  const { base, render, data, train } = plan.values;
  const log = (line: string): void => context.err(`${line}\n`);
  const { folder } = await resolveModel({ addresses: base, home: martletHome(env), env, cwd, log, signal });
  const now = context.now();
  const encoder = await openEncoder({ folder, render, now }).catch((error: unknown) => {
    throw atPlaces(error);
  });
  const outcomes = readSources({ ...sourceReading(context, plan.execution), values: data });
  const read = { kept: 0, invalid: 0 };
  const samples = await drawRows(kept(outcomes, read), request.rows, train.seed).catch((error: unknown) => {
    throw atPlaces(error);
  });
  if (samples.length === 0)
    throw new MartletError('nothing-to-train', 'no row is kept', {
      hint: 'martlet data ledger <name> tells why, once martlet data build has run.',
    });
  // What serves opens an encoder of its own; it must come to the same.
  const serving = await openEncoder({ folder, render, now });
  await using present = await presentEngines({ folder, serving, formats: plan.values.export.formats, now, env });
  const documents = rowDocuments(encoder, plan.values);
  const report = await runGate({ encoder, documents, samples, ...present, signal });
  const invalid = Math.round((read.invalid * samples.length) / read.kept);
  const refused = refusalOf({ report, samples, values: plan.values, invalid });
  return { ...report, ok: report.ok && refused === null, refused };
}

/** What the shard stage would say to these rows, were they all. */
function refusalOf(request: {
  readonly report: GateReport;
  readonly samples: readonly Sample[];
  readonly values: PlanValues;
  /** Rows that cannot be used, beside these. */
  readonly invalid: number;
}): VerifyRenderReport['refused'] {
  const { report, samples, values, invalid } = request;
  const { lost, cutRows: truncated } = report;
  const gone = new Set(lost.map(({ id }) => id));
  const train = samples.filter(({ split }) => split === 'train');
  const trainRows = train.filter(({ id }) => !gone.has(id)).length;
  const none = Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>;
  const counted = { ...none, invalid, train: train.length, heldout: samples.length - train.length };
  try {
    refuseLosses({ ...values, lost, truncated, trainRows, fates: counted });
    return null;
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return { code: error.code, message: error.message, fix: error.hint ?? null };
  }
}

async function* kept(
  outcomes: ReturnType<typeof readSources>,
  read: { kept: number; invalid: number },
): AsyncGenerator<Sample> {
  for await (const { sample, fate } of outcomes) {
    if (fate === 'invalid') read.invalid++;
    if (!sample) continue;
    read.kept++;
    yield sample;
  }
}

import { MartletError } from '../core/error.ts';
import { martletHome } from '../envs/home.ts';
import { openEncoder } from '../models/encoder.ts';
import { drawRows, type GateReport, runGate } from '../models/gate.ts';
import { resolveModel } from '../models/resolve.ts';
import { readSources } from '../pipeline.ts';
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

/**
 * The conformance gate on the rows of a recipe, without training.
 * @throws MartletError `nothing-to-train` where no row is kept
 */
export async function verifyRender(context: CliContext, request: VerifyRenderRequest): Promise<GateReport> {
  const { cwd, env, signal } = context;
  const { plan, atPlaces } = await loadPlan({ file: request.file, flags: request.flags, base: request.base, context });
  const { base, render, data, train } = plan.values;
  const log = (line: string): void => context.err(`${line}\n`);
  const { folder } = await resolveModel({ addresses: base, home: martletHome(env), env, cwd, log, signal });
  const now = context.now();
  const encoder = await openEncoder({ folder, render, now });
  const outcomes = readSources({ ...sourceReading(context, plan.execution), values: data });
  const samples = await drawRows(kept(outcomes), request.rows, train.seed).catch((error: unknown) => {
    throw atPlaces(error);
  });
  if (samples.length === 0)
    throw new MartletError('nothing-to-train', 'no row is kept', {
      hint: 'martlet data ledger <name> tells why, once martlet data build has run.',
    });
  // What serves opens an encoder of its own; it must come to the same.
  const serving = await openEncoder({ folder, render, now });
  await using present = await presentEngines({ folder, serving, formats: plan.values.export.formats, now, env });
  return await runGate({ encoder, samples, ...present, signal });
}

async function* kept(outcomes: AsyncIterable<{ readonly sample: Sample | null }>): AsyncGenerator<Sample> {
  for await (const { sample } of outcomes) if (sample) yield sample;
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Forecast } from '../core/forecast.ts';
import { formatBytes, formatCounted } from '../core/units.ts';
import { streamedDataset } from '../schema/dataset.ts';
import type { LineageInput } from '../schema/lineage.ts';
import type { Plan, PlanValues } from '../schema/plan.ts';
import { diskBudget, type FetchedBytes, readingWithin } from '../store/dataset/disk-budget.ts';
import { feedbackRows } from '../store/dataset/feedback-rows.ts';
import { inWorkFolder, type WorkRequest } from '../store/files/work-folder.ts';
import { make, type StageDeps, threadsOf } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { datasetRows, type SourceAccess } from './build/streamed/derived-rows.ts';
import { buildDataset } from './build-dataset.ts';
import { holdToForecast } from './hold-to-forecast.ts';
import { fetchedBytes, sourceInputs } from './sources.ts';
import { codeFingerprint, stepInputs, stepKeys } from './steps/open-steps.ts';
import { unusedParts } from './unused-parts.ts';

/** Datasets of an earlier format are not taken for what is asked. */
const streamedFormat = streamedDataset.shape.schema.value;

/** Refusals of a build after which the same rows may yet do. */
const keepAfter: readonly string[] = ['loss-budget', 'truncation-budget'];

/** What the sources of a plan are read with. */
export function sourceAccess(deps: StageDeps, { execution }: Plan): SourceAccess {
  return {
    ...readingWithin(execution.diskGiB),
    resolveFeedback: (address) => feedbackRows(deps.store, address),
    fetchDataset: deps.fetchDataset,
    signal: deps.signal,
  };
}

export interface DataInputs {
  readonly plan: Plan;
  readonly forecast?: Forecast | undefined;
}

/**
 * Reads the sources that the plan names; writes every row's fate, and the rows that are kept: `datasets/<name>@<n>/`.
 * @throws MartletError as `buildDataset` does; `disk-budget`; `forecast-differs` for a dataset that is not what was forecast
 */
export async function dataStage(deps: StageDeps, { plan, forecast }: DataInputs): Promise<Artefact> {
  const { data: values, name } = plan.values;
  const access = sourceAccess(deps, plan);
  const source = { values, ...access };
  const { lendWithin } = access;
  const streamed = lendWithin !== undefined;
  if (streamed) requireRoom(lendWithin, await fetchedBytes(source));
  const inputs = [...(await sourceInputs(source)), ...(await stepInputs(values.steps))];
  const today = deps.clock().toISOString().slice(0, 10);
  const known = await deps.store.latest('dataset', name);
  // A row under embargo makes the same sources another dataset from the day it ends.
  const changesOn = known?.lineage.facts.changesOn;
  const since = typeof changesOn === 'string' && changesOn <= today ? changesOn : null;
  const held = forecast?.day === today ? { forecast: forecast.rows, access } : undefined;
  let isBuilt = false;
  const dataset = await make(
    deps,
    { kind: 'dataset', name, of: { values, since, ...(streamed && { streamed: streamedFormat }) }, inputs },
    async (folder) => {
      const changed = known ? changedInputs(known.lineage.inputs, inputs) : [];
      if (known && changed.length > 0) deps.log(changedLine(changed, known.address));
      const build = (cacheFolder: string) =>
        buildDataset({ ...source, today, folder, cacheFolder, streamed, threads: threadsOf(plan) });
      const cacheFolder = join(deps.store.root, 'cache', 'data', name);
      // What an earlier build kept would take the room of the rows.
      if (streamed) await rm(cacheFolder, { recursive: true, force: true });
      const built = streamed
        ? await inWorkFolder(await streamedWork(), build).catch(tellKept)
        : await build(cacheFolder);
      // What is wrong becomes no version.
      isBuilt = true;
      if (held) await holdToForecast({ ...held, folder });
      if (built.reuse) deps.onReuse?.(built.reuse);
      const samples = datasetRows(folder, access).samples();
      const unused = await unusedParts({ samples, method: plan.values.method.name });
      for (const warning of [...built.warnings, ...unused]) deps.log(warning);
      const { rowsIn, fates } = built.dataset;
      return { rowsIn, fates: { ...fates }, changesOn: built.changesOn, columns: columnsOf(values.sources) };
    },
  );
  if (held && !isBuilt) await holdToForecast({ ...held, folder: dataset.folder, found: dataset });
  return dataset;

  function tellKept(error: unknown): never {
    if (MartletError.is(error) && keepAfter.includes(error.code))
      deps.log(
        `what was read is kept in ${join(deps.store.root, 'work')}: the same build within another budget goes on from it, another build of ${name} removes it`,
      );
    throw error;
  }

  /** All that a journal of the build hangs on. The budgets are held against what it comes to: another may do. */
  async function streamedWork(): Promise<WorkRequest> {
    const { budget: _, ...decisive } = values;
    const key = fingerprint({
      ...{ decisive, today },
      inputs: inputs.map((input) => input.fingerprint),
      steps: await stepKeys(values.steps),
      code: await codeFingerprint(),
    });
    return { parent: join(deps.store.root, 'work'), key, purpose: `dataset ${name}`, keepAfter };
  }
}

/** Addresses of what stands where it stood, and says something else. */
function changedInputs(before: readonly LineageInput[], now: readonly LineageInput[]): readonly string[] {
  const known = new Map(before.map(({ address, fingerprint }) => [address, fingerprint]));
  return now
    .filter(({ address, fingerprint }) => known.has(address) && known.get(address) !== fingerprint)
    .map(({ address }) => address);
}

function changedLine([first, ...more]: readonly string[], dataset: string): string {
  const others = more.length > 0 ? ` and ${formatCounted(more.length, 'more source')}` : '';
  return `${first}${others} changed since ${dataset} was built: the next version is made`;
}

/** Told before anything is fetched. */
function requireRoom(bytes: number, { largest }: FetchedBytes): void {
  if (largest <= bytes) return;
  const needs = `the largest file of each data set that is fetched must stand on the disk: ${formatBytes(largest)}`;
  throw diskBudget({ needs, bytes, enough: largest * 1.25 });
}

/** Columns that are read under another name, by source; of several at one address nobody can tell which one a row is of. */
function columnsOf(sources: PlanValues['data']['sources']): Record<string, Record<string, string>> {
  const named = sources.flatMap(({ from, columns }) => {
    const isOnly = sources.filter((other) => other.from === from).length === 1;
    return columns !== null && isOnly ? [[from, { ...columns }] as const] : [];
  });
  return Object.fromEntries(named);
}

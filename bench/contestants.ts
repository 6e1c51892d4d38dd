import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentPython } from '../src/envs/index.ts';
import { isolatedEnv } from '../src/envs/python-environment.ts';
import { type MeasuredProcess, measureProcess } from './measure-process.ts';
import { benchQuestions } from './rows.ts';

export interface TrainingRun {
  /** Tokens of the rows, padding left out, a second, over all steps but the first. */
  readonly tokensPerSecond: number;
  /** From the command to the end of the first step. */
  readonly firstStepSeconds: number;
  readonly seconds: number;
  readonly peakMemoryGiB: number | null;
  readonly steps: readonly { readonly tokens: number; readonly at: number }[];
  readonly versions: Readonly<Record<string, string>>;
}

export interface TrainingTask {
  readonly modelFolder: string;
  /** JSONL with `messages`. */
  readonly rowsFile: string;
  /** Exists, and is empty. */
  readonly workFolder: string;
}

export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Variables that hold numpy and torch down to older instructions; a peer must not be measured with them. */
const hobbles = ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE', 'MKL_ENABLE_INSTRUCTIONS', 'ATEN_CPU_CAPABILITY'];

export function peerEnv(): Record<string, string | undefined> {
  const env = isolatedEnv(process.env);
  for (const name of hobbles) delete env[name];
  return { ...env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false' };
}

/** @throws Error naming the command that makes the peer's environment. */
export async function peerPython(environment: string): Promise<string> {
  const python = await environmentPython({ name: environment, env: process.env });
  if (!python) throw new Error(`the peer's environment is missing; make it with: martlet setup ${environment}`);
  return python;
}

export async function trainWithTrl(task: TrainingTask): Promise<TrainingRun> {
  return await trainPeer(task, { environment: 'oracles', script: 'trl_train.py' });
}

export async function trainWithMsSwift(task: TrainingTask): Promise<TrainingRun> {
  return await trainPeer(task, { environment: 'ms-swift', script: 'ms_swift_train.py' });
}

async function trainPeer(task: TrainingTask, peer: { environment: string; script: string }): Promise<TrainingRun> {
  const measured = await measureProcess({
    command: await peerPython(peer.environment),
    args: [here(`peers/${peer.script}`), task.modelFolder, task.rowsFile, join(task.workFolder, 'out')],
    cwd: task.workFolder,
    env: peerEnv(),
  });
  const values = measured.lines.map(({ value }) => value);
  const steps = values.filter((value) => 'step' in value) as unknown as { tokens: number; at: number }[];
  return trainingRun({ measured, steps, versions: versionsIn(values) });
}

const roles = ['user', 'assistant'] as const;

/** `martlet train` as a user calls it: from a recipe and rows to a trained adapter, the stages before it included. */
export async function trainWithMartlet(task: TrainingTask): Promise<TrainingRun> {
  const recipe = join(task.workFolder, 'recipe.yaml');
  const store = join(task.workFolder, 'store');
  // A plan wants a held-out row; it is one more, so that all 128 are trained on here as elsewhere.
  const lines = (await readFile(task.rowsFile, 'utf8')).trimEnd().split('\n');
  const rows = lines.map((line) => JSON.stringify({ ...JSON.parse(line), part: 'train' }));
  const heldOut = { messages: benchQuestions.slice(0, 2).map((content, index) => ({ role: roles[index], content })) };
  rows.push(JSON.stringify({ ...heldOut, part: 'heldout' }));
  await writeFile(join(task.workFolder, 'rows.jsonl'), `${rows.join('\n')}\n`);
  await writeFile(
    recipe,
    [
      'name: bench',
      `base: ${JSON.stringify(task.modelFolder)}`,
      'data: { sources: [{ from: rows.jsonl }], split: { by: part, heldOut: [heldout] } }',
      'adapter: { kind: lora, rank: 8, alpha: 16, dropout: 0 }',
      'train: { learningRate: 1e-4, rowsPerStep: 16, epochs: 1 }',
      '',
    ].join('\n'),
  );
  const measured = await measureProcess({
    command: here('../bin/martlet'),
    args: ['--store', store, 'train', recipe],
    cwd: task.workFolder,
    env: process.env,
  });
  const events = (await readFile(join(store, 'runs', 'bench@1', 'events.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; at: string; tokens: number; engine: string });
  const steps = events
    .filter(({ type }) => type === 'step-end')
    .map(({ at, tokens }) => ({ tokens, at: Date.parse(at) / 1000 }));
  return trainingRun({ measured, steps, versions: { engine: events[0]?.engine ?? 'unknown' } });
}

function trainingRun(run: {
  measured: MeasuredProcess;
  steps: readonly { tokens: number; at: number }[];
  versions: Record<string, string>;
}): TrainingRun {
  const { measured, versions } = run;
  const steps = run.steps.map(({ tokens, at }) => ({ tokens, at }));
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || first === last) throw new Error('a run needs two steps to be measured');
  const steadyTokens = steps.slice(1).reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    tokensPerSecond: steadyTokens / (last.at - first.at),
    firstStepSeconds: first.at - measured.startedMs / 1000,
    seconds: measured.seconds,
    peakMemoryGiB: measured.peakMemoryGiB,
    steps,
    versions,
  };
}

export interface GeneratingRun {
  readonly tokensPerSecond: number;
  readonly peakMemoryGiB: number | null;
  readonly answers: readonly { readonly tokens: number; readonly seconds: number }[];
  readonly versions: Readonly<Record<string, string>>;
}

export interface GeneratingTask {
  readonly modelFolder: string;
  /** One stream, one after the other; the first warms up and is not counted. */
  readonly questions: readonly string[];
  readonly newTokens: number;
  readonly workFolder: string;
}

export async function generateWithTransformers(task: GeneratingTask): Promise<GeneratingRun> {
  const requests = join(task.workFolder, 'requests.json');
  await writeFile(requests, JSON.stringify({ questions: task.questions, newTokens: task.newTokens }));
  const measured = await measureProcess({
    command: await peerPython('oracles'),
    args: [here('peers/transformers_generate.py'), task.modelFolder, requests],
    cwd: task.workFolder,
    env: peerEnv(),
  });
  const values = measured.lines.map(({ value }) => value);
  const answers = values.filter((value) => 'seconds' in value) as unknown as { tokens: number; seconds: number }[];
  return generatingRun({ answers, peakMemoryGiB: measured.peakMemoryGiB, versions: versionsIn(values) });
}

/** `martlet serve` as a user starts it, asked over HTTP, one stream. */
export async function generateWithMartlet(task: GeneratingTask): Promise<GeneratingRun> {
  let answers: Promise<Answer[]> | undefined;
  const measured = await measureProcess({
    command: here('../bin/martlet'),
    args: ['--store', join(task.workFolder, 'store'), 'serve', '--base', task.modelFolder, '--port', '0', '--json'],
    cwd: task.workFolder,
    env: process.env,
    onLine: ({ url }, stop) => {
      // The server says where it listens once; it would run for ever.
      if (typeof url === 'string') answers ??= askAll(url, task).finally(stop);
    },
  });
  if (!answers) throw new Error('martlet serve ended without saying where it listens');
  return generatingRun({ answers: await answers, peakMemoryGiB: measured.peakMemoryGiB, versions: {} });
}

interface Answer {
  readonly tokens: number;
  readonly seconds: number;
}

async function askAll(url: string, { questions, newTokens }: GeneratingTask): Promise<Answer[]> {
  const { data } = (await (await fetch(new URL('/v1/models', url))).json()) as { data: { id: string }[] };
  const answers: Answer[] = [];
  for (const [index, content] of questions.entries()) {
    const started = performance.now();
    const response = await fetch(new URL('/v1/chat/completions', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: data[0]?.id,
        messages: [{ role: 'user', content }],
        temperature: 0,
        max_tokens: newTokens,
      }),
    });
    if (!response.ok) throw new Error(`martlet serve answered ${response.status}: ${await response.text()}`);
    const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
    if (index > 0) answers.push({ tokens: usage.completion_tokens, seconds: (performance.now() - started) / 1000 });
  }
  return answers;
}

function generatingRun(run: {
  answers: readonly Answer[];
  peakMemoryGiB: number | null;
  versions: Record<string, string>;
}): GeneratingRun {
  const answers = run.answers.map(({ tokens, seconds }) => ({ tokens, seconds }));
  const sum = (key: keyof Answer): number => answers.reduce((total, answer) => total + answer[key], 0);
  return { ...run, answers, tokensPerSecond: sum('tokens') / sum('seconds') };
}

function versionsIn(values: readonly Record<string, unknown>[]): Record<string, string> {
  return Object.assign({}, ...values.map(({ versions }) => versions ?? {})) as Record<string, string>;
}

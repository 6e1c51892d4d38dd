import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTinyModel } from '../src/testing/tiny-model.ts';
import { writeChatRows } from './chat-rows.ts';
import { here, peerEnv, peerPython } from './contestants.ts';
import { measureProcess } from './measure-process.ts';

/** ChatML that says which text the assistant writes, as `return_assistant_tokens_mask` needs it. */
const template =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% if message['role'] == 'assistant' %}" +
  "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}" +
  "{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

export interface DataBenchRequest {
  /** A model folder whose tokenizer is used. */
  readonly modelFolder: string;
  readonly workFolder: string;
  readonly bytes: number;
  /** What the peers get of the same rows, from the front; rates are compared. */
  readonly peerBytes: number;
  readonly repeats: number;
}

export interface DataRun {
  readonly who: 'martlet' | 'martletAgain' | 'trl' | 'trl2Processes';
  readonly bytes: number;
  readonly rows: number;
  readonly tokens: number;
  readonly learnedTokens: number;
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  readonly peakMemoryGiB: number | null;
  readonly versions?: Readonly<Record<string, string>>;
}

export interface DataBench {
  readonly runs: readonly DataRun[];
  readonly summary: Readonly<Record<string, unknown>> & { readonly ratios: Readonly<Record<string, number>> };
}

/**
 * Rows to packed tokens. Ours is `martlet shard` as a user calls it, from the command to the sealed shards, ledger and
 * provenance on; the second call finds everything done. The peer is TRL's own preparation of a dataset (`load_dataset`,
 * `apply_chat_template` with the mask of the assistant's tokens, labels, packing), its imports and start not counted.
 */
export async function benchData(request: DataBenchRequest): Promise<DataBench> {
  const { workFolder, bytes, peerBytes, repeats } = request;
  const modelFolder = join(workFolder, 'model');
  const tokenizer = JSON.parse(await readFile(join(request.modelFolder, 'tokenizer.json'), 'utf8')) as {
    model: { vocab: Record<string, number> };
  };
  // The weights play no part; the smallest model carries the tokenizer.
  await writeTinyModel(modelFolder, { seed: 1, tokenizer, chatTemplate: template, maxPositions: packTokens });
  const words = Object.entries(tokenizer.model.vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => /^Ġ([AaI]|[A-Za-z]{2,})$/.exec(token)?.[1] ?? '')
    .filter((word) => word !== '');
  const rowsFile = join(workFolder, 'rows.jsonl');
  await writeChatRows({ file: rowsFile, bytes, seed: 11, words });
  const sliceFile = join(workFolder, 'slice.jsonl');
  await writeSlice(rowsFile, sliceFile, peerBytes);

  const ours = await shard({
    who: 'martlet',
    modelFolder,
    rowsFile: sliceFile,
    workFolder,
    store: join(workFolder, 'slice'),
  });
  const runs: DataRun[] = [];
  const add = (run: DataRun): void => {
    runs.push(run);
    if (run.who === 'trl' || run.who === 'trl2Processes') refuseOtherWork(ours, run);
    console.error(
      `${run.who}: ${run.megabytesPerSecond.toFixed(2)} MB/s (${run.seconds.toFixed(1)} s, ${run.peakMemoryGiB?.toFixed(2)} GiB)`,
    );
  };
  for (let repetition = 0; repetition < repeats; repetition++) {
    const store = join(workFolder, `store-${repetition}`);
    add(await shard({ who: 'martlet', modelFolder, rowsFile, workFolder, store }));
    add(await shard({ who: 'martletAgain', modelFolder, rowsFile, workFolder, store }));
    add(await prepareWithTrl({ who: 'trl', modelFolder, rowsFile: sliceFile, workFolder }));
    add(await prepareWithTrl({ who: 'trl2Processes', modelFolder, rowsFile: sliceFile, workFolder }));
  }
  const rate = (who: DataRun['who']): number => median(of(runs, who).map((run) => run.megabytesPerSecond));
  return {
    runs,
    summary: {
      ratios: {
        dataVsTrl: rate('martlet') / rate('trl'),
        dataVsTrl2Processes: rate('martlet') / rate('trl2Processes'),
      },
      cachedSeconds: median(of(runs, 'martletAgain').map((run) => run.seconds)),
      peakMemoryGiB: Math.max(...of(runs, 'martlet').map((run) => run.peakMemoryGiB ?? 0)),
      megabytesPerSecond: {
        martlet: rate('martlet'),
        trl: rate('trl'),
        trl2Processes: rate('trl2Processes'),
      },
      rows: { bytes: (await stat(rowsFile)).size, peerBytes: (await stat(sliceFile)).size },
      note: 'Peers prepare the first part of the same rows, long enough that what they do once weighs little, and it was checked that the same tokens come out; rates are compared. Their start and imports are not counted, ours are: from the command to the sealed shards.',
    },
  };
}

/** The same rows have to become as many tokens, and as many learned ones, whoever prepares them. */
function refuseOtherWork(ours: DataRun, theirs: DataRun): void {
  const differs = (['rows', 'tokens', 'learnedTokens'] as const).find((what) => ours[what] !== theirs[what]);
  if (differs)
    throw new Error(`${theirs.who} makes ${theirs[differs]} ${differs} of rows that we make ${ours[differs]} of`);
}

const of = (runs: readonly DataRun[], who: DataRun['who']): DataRun[] => runs.filter((run) => run.who === who);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/** The first whole lines of a file. */
async function writeSlice(from: string, to: string, bytes: number): Promise<void> {
  await using handle = await open(from);
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, 0);
  await writeFile(to, buffer.subarray(0, buffer.lastIndexOf(10, bytesRead - 1) + 1));
}

interface Task {
  readonly who: DataRun['who'];
  readonly modelFolder: string;
  readonly rowsFile: string;
  readonly workFolder: string;
}

const packTokens = 4096;

async function shard({ who, modelFolder, rowsFile, workFolder, store }: Task & { store: string }): Promise<DataRun> {
  const recipe = join(workFolder, 'recipe.yaml');
  await writeFile(
    recipe,
    [
      'name: bench',
      `base: ${JSON.stringify(modelFolder)}`,
      `data: { sources: [{ from: ${JSON.stringify(rowsFile)} }] }`,
      `render: { lengthTokens: ${packTokens} }`,
      `train: { rowsPerStep: 64, packTokens: ${packTokens} }`,
      '',
    ].join('\n'),
  );
  const measured = await measureProcess({
    command: here('../bin/martlet'),
    args: ['--store', store, 'shard', recipe],
    cwd: workFolder,
    env: process.env,
  });
  const manifest = JSON.parse(await readFile(join(store, 'shards', 'bench@1', 'shards.json'), 'utf8')) as {
    splits: Record<'train' | 'heldout', { rows: number; tokens: number; learnedTokens: number }>;
  };
  const { train, heldout } = manifest.splits;
  return dataRun(who, {
    bytes: (await stat(rowsFile)).size,
    rows: train.rows + heldout.rows,
    tokens: train.tokens + heldout.tokens,
    learnedTokens: train.learnedTokens + heldout.learnedTokens,
    seconds: measured.seconds,
    peakMemoryGiB: measured.peakMemoryGiB,
  });
}

async function prepareWithTrl({ who, modelFolder, rowsFile, workFolder }: Task): Promise<DataRun> {
  const measured = await measureProcess({
    command: await peerPython('oracles'),
    args: [here('peers/trl_data.py'), modelFolder, rowsFile, String(packTokens), who === 'trl' ? '0' : '2'],
    cwd: workFolder,
    env: { ...peerEnv(), HF_HOME: join(workFolder, `hf-${who}-${Date.now()}`) },
  });
  const result = measured.lines.at(-1)?.value as Pick<
    DataRun,
    'rows' | 'tokens' | 'learnedTokens' | 'seconds' | 'versions'
  >;
  return dataRun(who, { ...result, bytes: (await stat(rowsFile)).size, peakMemoryGiB: measured.peakMemoryGiB });
}

function dataRun(who: DataRun['who'], run: Omit<DataRun, 'who' | 'megabytesPerSecond'>): DataRun {
  return { who, ...run, megabytesPerSecond: run.bytes / 1e6 / run.seconds };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';

export const martletBin = fileURLToPath(new URL('../../bin/martlet', import.meta.url));

export interface TinyRecipeOptions {
  readonly rows?: number;
  /** YAML flow mappings. LoRA with dropout, so that random numbers matter, unless given. */
  readonly adapter?: string;
  readonly train: string;
}

/** A recipe `tiny` on a random Llama of two layers, with its model and rows beside it. @returns the recipe's file. */
export async function writeTinyRecipe(folder: string, options: TinyRecipeOptions): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeTinyModel(join(folder, 'model'), { seed: 1, headDim: 16 });
  const row = (index: number): string =>
    JSON.stringify({
      messages: [
        { role: 'user', content: `the close price of month ${index}` },
        { role: 'assistant', content: `the change is ${(index * 37) % 101} and the price ${index * index}` },
      ],
    });
  await writeFile(
    join(folder, 'rows.jsonl'),
    Array.from({ length: options.rows ?? 48 }, (_, index) => `${row(index)}\n`).join(''),
  );
  const file = join(folder, 'recipe.yaml');
  await writeFile(
    file,
    [
      'name: tiny',
      'base: ./model',
      'data: { sources: [{ from: rows.jsonl }] }',
      `adapter: ${options.adapter ?? '{ kind: lora, rank: 4, dropout: 0.1 }'}`,
      `train: ${options.train}`,
      '',
    ].join('\n'),
  );
  return file;
}

export interface MartletRun {
  readonly child: ChildProcess;
  /** Resolves when the text has stood on the error output, or the process is gone. */
  readonly said: (text: RegExp) => Promise<void>;
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly out: string;
    readonly err: string;
  }>;
}

export interface StartOptions {
  readonly limits?: string;
  /** Put over the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** The environment of a process that sends itself SIGINT as soon as it has said so on its error output. */
export function interruptedAt(text: string): Readonly<Record<string, string>> {
  const preload = new URL('./interrupt-itself.mjs', import.meta.url).href;
  return { NODE_OPTIONS: `--import=${preload}`, INTERRUPT_AT: text };
}

/** Starts `bin/martlet`, in front of which a shell may set limits (`ulimit -f 8`). */
export function startMartlet(args: readonly string[], options: StartOptions = {}): MartletRun {
  const command = [process.execPath, martletBin, ...args];
  const env = { ...process.env, ...options.env };
  const child = options.limits
    ? spawn('bash', ['-c', `${options.limits} && exec "$@"`, 'bash', ...command], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    : spawn(process.execPath, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  const waiting: { readonly text: RegExp; readonly resolve: () => void }[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    for (const each of waiting) if (each.text.test(err)) each.resolve();
  });
  const ended = once(child, 'close').then(([code, signal]) => {
    for (const { resolve } of waiting) resolve();
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, out, err };
  });
  const said = (text: RegExp): Promise<void> =>
    new Promise((resolve) => {
      if (text.test(err) || child.exitCode !== null || child.signalCode !== null) resolve();
      else waiting.push({ text, resolve });
    });
  return { child, said, ended };
}

/** The engine's process; Linux only, undefined elsewhere and when there is none. */
export function childOf(pid: number | undefined): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

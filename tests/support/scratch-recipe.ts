import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CliContext } from '../../src/cli/context.ts';
import type { RecipeInput } from '../../src/schema/recipe.ts';

const names = ['AAPL', 'IBM', 'MSFT', 'AMZN', 'GOOG', 'INTC', 'ORCL', 'SAP', 'TSM', 'ADBE', 'CRM', 'NVDA'];

/** A dozen short rows, the last three held out, and a recipe that learns them in a few steps. */
export async function writeScratchRecipe(
  folder: string,
  recipe: Partial<RecipeInput> & { readonly base: string },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const rows = names.map((symbol, index) => {
    const close = 10 + 7 * index;
    const messages = [
      { role: 'user', content: `{"symbol": "${symbol}", "close": ${close}}` },
      { role: 'assistant', content: `${symbol} closed the month at ${close}.` },
    ];
    return `${JSON.stringify({ messages, symbol, facts: { symbol, close } })}\n`;
  });
  await writeFile(join(folder, 'rows.jsonl'), rows.join(''));
  const whole: RecipeInput = {
    name: 'brief',
    data: { sources: [{ from: 'rows.jsonl' }], split: { by: 'symbol', heldOut: names.slice(-3) } },
    adapter: { kind: 'lora', rank: 4 },
    train: { maxSteps: 2, rowsPerStep: 4, learningRate: 1e-2, warmup: 0, seed: 3 },
    eval: { tasks: ['heldout-loss'], rows: 2, maxTokens: 8 },
    export: { formats: ['adapter', 'safetensors', 'gguf'], certifyRows: 3 },
    execution: { threads: 1 },
    ...recipe,
  };
  // YAML reads JSON as it stands.
  const file = join(folder, 'recipe.yaml');
  await writeFile(file, JSON.stringify(whole, null, 2));
  return file;
}

/** What a command is given, with a store of its own; what it says is kept. */
export function scratchContext(folder: string): CliContext & { readonly said: string[] } {
  const said: string[] = [];
  return {
    said,
    cwd: folder,
    env: { ...process.env, MARTLET_STORE: join(folder, 'store'), MARTLET_USER: 'tester' },
    stdin: process.stdin,
    out: (text) => void said.push(text),
    err: (text) => void said.push(text),
    isTerminal: false,
    colour: false,
    columns: 80,
    signal: new AbortController().signal,
    now: () => new Date(),
    setExitCode: () => {},
  };
}

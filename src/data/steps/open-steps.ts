import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issuesError, MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { LineageInput } from '../../schema/lineage.ts';
import type { PlanValues } from '../../schema/plan.ts';
import { hashFile } from '../../store/files.ts';
import { importOwnModule } from '../../store/own-module.ts';
import { steps as known } from './index.ts';
import type { OpenStep, StepDefinition } from './step.ts';

export type StepValues = PlanValues['data']['steps'][number];

export interface OpenedStep {
  readonly name: string;
  readonly step: OpenStep;
}

/** @throws MartletError `step-unknown`, `invalid-input` for options that a step of one's own refuses. */
export async function openSteps(values: readonly StepValues[]): Promise<readonly OpenedStep[]> {
  const opened: OpenedStep[] = [];
  for (const [index, value] of values.entries()) {
    const definition = await definitionOf(value);
    opened.push({ name: definition.name, step: await definition.open(optionsOf(definition, value, index)) });
  }
  return opened;
}

async function definitionOf({ step, module }: StepValues): Promise<StepDefinition<never>> {
  if (module === null) {
    const found = known.find(({ name }) => name === step);
    if (found) return found as unknown as StepDefinition<never>;
    throw new MartletError('step-unknown', `no step is called ${step}`);
  }
  let exports: unknown;
  try {
    exports = await importOwnModule(module);
  } catch (cause) {
    throw new MartletError('step-unreadable', `cannot load the step ${module}: ${messageOf(cause)}`, { cause });
  }
  const own = (exports as { readonly step?: StepDefinition<never> }).step;
  if (own && typeof own.open === 'function' && typeof own.name === 'string') return own;
  throw new MartletError('step-unreadable', `${module} exports no step`, {
    hint: 'Write export const step = defineStep({ name, version, options, open }).',
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function optionsOf(definition: StepDefinition<never>, ...[value, index]: [StepValues, number]): never {
  const result = definition.options.safeParse(value.options);
  if (result.success) return result.data;
  throw issuesError(
    'data.steps',
    result.error.issues.map((issue) => ({
      code: 'wrong-type',
      severity: 'error' as const,
      path: [
        'data',
        'steps',
        index,
        'options',
        ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key)),
      ],
      message: `${issue.message}.`,
    })),
  );
}

/** For each step the hash of all that its result hangs on beside the rows: options, code, files it reads. */
export async function stepKeys(values: readonly StepValues[]): Promise<readonly string[]> {
  const code = await codeFingerprint();
  const keys: string[] = [];
  for (const [index, value] of values.entries()) {
    const definition = await definitionOf(value);
    const files = await Promise.all(filesOf(definition, value, index).map(hashOf));
    keys.push(fingerprint({ name: definition.name, version: definition.version, options: value.options, code, files }));
  }
  return keys;
}

/** The files that steps are or read, as inputs of a lineage: a dataset made with others is another one. */
export async function stepInputs(values: readonly StepValues[]): Promise<readonly LineageInput[]> {
  const files = new Set<string>();
  for (const [index, value] of values.entries()) {
    const definition = await definitionOf(value);
    for (const file of filesOf(definition, value, index)) files.add(file);
  }
  return await Promise.all(
    [...files].map(async (address) => ({ kind: 'file' as const, address, fingerprint: await hashOf(address) })),
  );
}

/** What a step reads, and what it is where it is a person's own. */
function filesOf(definition: StepDefinition<never>, ...[value, index]: [StepValues, number]): readonly string[] {
  const read = definition.reads?.(optionsOf(definition, value, index)) ?? [];
  return value.module === null ? read : [...read, value.module];
}

async function hashOf(file: string): Promise<string> {
  try {
    return await hashFile(file);
  } catch (cause) {
    throw new MartletError('file-unreadable', `cannot read ${file}`, { cause, hint: 'Check the path in data.steps.' });
  }
}

let code: Promise<string> | undefined;

/** Hash of the code that rows go through: nothing that an earlier version did is taken for what this one would do. */
export function codeFingerprint(): Promise<string> {
  code ??= (async () => {
    const root = join(import.meta.dirname, '..', '..');
    const folders = ['data', 'render/jinja', 'schema', 'core'];
    const files = globSync(
      folders.map((folder) => `${folder}/**/*.{ts,js}`),
      { cwd: root },
    )
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => !/\.(test|soak)\.|\.d\.ts$/.test(file))
      .sort();
    const hash = createHash('sha256');
    for (const file of files) hash.update(file).update(await readFile(join(root, file)));
    return hash.digest('hex');
  })();
  return code;
}

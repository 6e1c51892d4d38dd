import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issuesError, MartletError, messageOf } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { Issue } from '../../core/issue.ts';
import type { LineageInput } from '../../schema/lineage.ts';
import type { PlanValues } from '../../schema/plan.ts';
import { hashFile } from '../../store/files/files.ts';
import { moduleFiles } from '../../store/module-files.ts';
import { importOwnModule } from '../../store/own-module.ts';
import { fileMeant } from '../../store/rows/file-meant.ts';
import { steps as known } from './index.ts';
import { withAnswersKept } from './kept-answers.ts';
import { placeInStep } from './lacking-columns.ts';
import { openOwnStep } from './own-step.ts';
import type { OpenStep, StepDefinition } from './step.ts';

export type StepValues = PlanValues['data']['steps'][number];

export interface OpenedStep {
  readonly name: string;
  readonly step: OpenStep;
}

/** @throws MartletError `invalid-input` with what is wrong with any step: files that are not there, expressions, options of one's own. */
export async function openSteps(values: readonly StepValues[]): Promise<readonly OpenedStep[]> {
  return await eachStep(values, async (definition, options, { module }) => ({
    name: definition.name,
    step: withAnswersKept(
      module === null ? await definition.open(options) : await openOwnStep(definition, options),
      definition.name,
    ),
  }));
}

type Asked<T> = (definition: StepDefinition<never>, options: never, value: StepValues) => Promise<T>;

/** Asks every step whose files are there; what is wrong with any of them is told at once. */
async function eachStep<T>(values: readonly StepValues[], ask: Asked<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  const issues: Issue[] = [];
  for (const [index, value] of values.entries())
    try {
      await requireFiles(value.module === null ? [] : [value.module], { value, index });
      const definition = await definitionOf(value);
      const options = optionsOf(definition, value, index);
      await requireFiles(definition.reads?.(options) ?? [], { value, index });
      answers.push(await ask(definition, options, value));
    } catch (error) {
      if (!MartletError.is(error)) throw error;
      const { code, message, hint } = error;
      const own: Issue = {
        ...{ code, severity: 'error', path: ['data', 'steps', index], message: `${message}.` },
        ...(hint !== undefined && { fix: hint }),
      };
      issues.push(...(error.issues.length > 0 ? error.issues : [own]));
    }
  if (issues.length > 0) throw issuesError('data.steps', issues);
  return answers;
}

interface StepAt {
  readonly value: StepValues;
  readonly index: number;
}

/** @throws MartletError `invalid-input` with the files that are not there, and which may have been meant */
async function requireFiles(files: readonly string[], { value, index }: StepAt): Promise<void> {
  const gone = files.filter((file) => !existsSync(file));
  if (gone.length === 0) return;
  const issues = await Promise.all(
    gone.map(
      async (file): Promise<Issue> => ({
        code: 'file-unreadable',
        severity: 'error',
        path: file === value.module ? ['data', 'steps', index, 'module'] : placeInStep(value, index, file),
        message: `there is no ${file}.`,
        fix: await fileMeant(file),
      }),
    ),
  );
  throw issuesError('data.steps', issues);
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
  if (typeof own?.open === 'function' && typeof own.name === 'string' && typeof own.options?.safeParse === 'function')
    return own;
  throw new MartletError('step-unreadable', `${module} exports no step`, {
    hint: 'Write export const step = defineStep({ name, version, options, open }).',
  });
}

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
  return await eachStep(values, async (definition, options, value) => {
    const files = await Promise.all((await filesOf(definition, options, value)).map(hashOf));
    return fingerprint({ name: definition.name, version: definition.version, options: value.options, code, files });
  });
}

/** The files that steps are or read, as inputs of a lineage: a dataset made with others is another one. */
export async function stepInputs(values: readonly StepValues[]): Promise<readonly LineageInput[]> {
  const files = new Set((await eachStep(values, filesOf)).flat());
  return await Promise.all(
    [...files].map(async (address) => ({ kind: 'file' as const, address, fingerprint: await hashOf(address) })),
  );
}

/** What a step reads, and what it is made of where it is a person's own. */
async function filesOf(...[definition, options, value]: Parameters<Asked<unknown>>): Promise<readonly string[]> {
  const read = definition.reads?.(options) ?? [];
  return value.module === null ? read : [...read, ...(await moduleFiles(value.module))];
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

import { embeddedArchitectures, isEmbeddedArchitecture } from '../derive.ts';
import { type Check, error, warning } from './check.ts';

export const lengthWithinModel: Check = ({ values: { render }, facts: { model } }) =>
  model && render.lengthTokens > model.max_position_embeddings
    ? [
        error({
          code: 'longer-than-model',
          path: ['render', 'lengthTokens'],
          message: `Rows of ${render.lengthTokens} tokens are longer than the model can read.`,
          expected: `at most ${model.max_position_embeddings}`,
        }),
      ]
    : [];

export const answersWithinModel: Check = ({ values, facts: { model } }) =>
  model && values.eval.maxTokens >= model.max_position_embeddings
    ? [
        warning({
          code: 'longer-than-model',
          path: ['eval', 'maxTokens'],
          message: `The model reads ${model.max_position_embeddings} tokens, questions included: answers end before ${values.eval.maxTokens}.`,
        }),
      ]
    : [];

/** A row that is too long is told as such; how many there are, where all rows were encoded. */
export const rowsWithinLength: Check = ({ values: { render }, facts: { model, tokens }, given }) => {
  const { tooLong, sampledRows } = tokens ?? {};
  if (!tooLong || render.overflow !== 'refuse') return [];
  const { rows, longest } = tooLong;
  const limit = `${render.lengthTokens} tokens${given.has('render.lengthTokens') ? '' : ' (the default)'}`;
  const which =
    rows === 1
      ? `${longest.place} has ${longest.tokens} tokens`
      : `${rows} rows are too long, ${longest.place} with ${longest.tokens} tokens the most`;
  const raise = !model || longest.tokens <= model.max_position_embeddings;
  return [
    error({
      code: 'row-too-long',
      path: ['render', 'lengthTokens'],
      message: `${sampledRows ? `Of the first ${sampledRows} rows: ` : ''}${which}, where ${limit} are allowed.`,
      fix: `${raise ? `Write render.lengthTokens: ${longest.tokens}, or choose` : 'The model reads no more: choose'} render.overflow: ${overflowsOf(rows)}.`,
    }),
  ];
};

const overflowsOf = (rows: number): string =>
  `drop (loses ${rows === 1 ? 'it' : 'them'}, within data.budget.dropped), truncate-prompt, truncate-answer (within data.budget.truncated) or, for plain text, split`;

export const adapterExportNeedsAdapter: Check = ({ values }) => {
  const index = values.export.formats.indexOf('adapter');
  return values.adapter.kind === 'full' && index >= 0
    ? [
        error({
          code: 'no-adapter-to-export',
          path: ['export', 'formats', index],
          message: 'Full fine-tuning makes no adapter.',
          fix: 'Write safetensors or gguf, or train with adapter.kind lora.',
        }),
      ]
    : [];
};

export const ggufNeedsKnownArchitecture: Check = ({ values, facts: { model } }) => {
  const index = values.export.formats.indexOf('gguf');
  return model && index >= 0 && !isEmbeddedArchitecture(model.architecture)
    ? [
        error({
          code: 'gguf-unsupported',
          path: ['export', 'formats', index],
          message: `${model.architecture} cannot be written as GGUF.`,
          expected: `one of ${embeddedArchitectures.join(', ')}`,
          fix: 'Export safetensors.',
        }),
      ]
    : [];
};

export const engineKnowsModel: Check = ({ execution, facts: { model } }) =>
  model && execution.engine === 'embedded' && !isEmbeddedArchitecture(model.architecture)
    ? [
        error({
          code: 'engine-unsupported',
          path: ['execution', 'engine'],
          message: `The embedded engine does not know ${model.architecture}.`,
          expected: `one of ${embeddedArchitectures.join(', ')}`,
          fix: 'Write torch or auto.',
        }),
      ]
    : [];

export const memorySuffices: Check = ({ execution: { memoryGiB, packTokens }, predictions: { peakMemoryGiB } }) =>
  typeof peakMemoryGiB === 'number' && typeof memoryGiB === 'number' && peakMemoryGiB > memoryGiB
    ? [
        warning({
          code: 'memory-short',
          path: ['execution', 'memoryGiB'],
          message: `About ${peakMemoryGiB.toFixed(1)} GiB are needed where ${memoryGiB.toFixed(1)} GiB may be taken.`,
          fix: `Lower train.packTokens (now ${packTokens}) or adapter.rank, or pick a smaller base.`,
        }),
      ]
    : [];

export const machineSuffices: Check = ({ execution, facts: { machine } }) => {
  const { threads, memoryGiB } = execution;
  if (!machine) return [];
  const findings = [];
  if (typeof threads === 'number' && threads > machine.cores)
    findings.push(
      warning({
        code: 'more-threads-than-cores',
        path: ['execution', 'threads'],
        message: `${threads} threads on ${machine.cores} cores run slower than ${machine.cores}.`,
      }),
    );
  if (typeof memoryGiB === 'number' && memoryGiB > machine.memoryGiB)
    findings.push(
      warning({
        code: 'more-memory-than-there-is',
        path: ['execution', 'memoryGiB'],
        message: `${memoryGiB} GiB may be taken where the machine has ${machine.memoryGiB.toFixed(1)}.`,
      }),
    );
  return findings;
};

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { optionParts, swiftOptions } from './swift-options.ts';

const root = new URL('../../', import.meta.url);

test.each(swiftOptions)('$theirs has its test', ({ test: { file, title } }) => {
  expect(readFileSync(new URL(file, root), 'utf8')).toContain(title);
});

/** Words for each row of ms-swift's own documentation of data: sources, rows to batches, weights of tokens. */
const theirs = {
  sources: [
    'jsonl',
    'folder',
    'hub',
    'subset1',
    '#n` below',
    '#n` above',
    '#n` of a stream',
    'interleave_prob',
    'weights of',
  ].concat(['registered', 'register_dataset', 'self-cognition']),
  columns: ['automatic', '--columns', 'disable_auto_column_mapping', 'AutoPreprocessor'],
  'from rows to batches': [
    'strict',
    'split_dataset_ratio',
    'val_dataset',
    'data_seed',
    'eager or lazy',
    'streaming',
    'cached_dataset',
  ].concat([
    'delete',
    'left',
    'right',
    'strategy split',
    'packing',
    'padding_free',
    'group_by_length',
    'sequence_parallel',
    'swift pt',
  ]),
  'token weights': ['loss_scale default', 'joined by', 'a JSON file', 'hybrid', 'is_binary_loss_scale', 'of a message'],
  'agent templates': [
    'react_en',
    'react_zh',
    'qwen_en',
    'qwen_zh',
    'qwen_en_parallel',
    'qwen_zh_parallel',
    'qwen3_coder',
    'qwen3_5',
  ]
    .concat([
      'hermes',
      'hunyuan_hermes',
      'hy_v3_preview',
      'hy_v3',
      'toolbench',
      'chatglm4',
      'glm4',
      'glm4_5',
      'glm4_7',
      'glm5_1',
    ])
    .concat([
      'llama3',
      'llama4',
      'deepseek_v3_1',
      'deepseek_v4',
      'minimax_m2',
      'minimax_m3',
      'seed_oss',
      'gemma4',
      'react_grpo',
    ])
    .concat(['mistral', 'youtu', 'kimi_k25', 'kimi_k3', 'minicpm5'])
    .map((name) => `agent_template ${name}\``),
} as const;

test.each(optionParts)('every row of %s is there', (part) => {
  const rows = swiftOptions.filter((option) => option.part === part).map((option) => option.theirs);
  const missing = theirs[part].filter((words) => !rows.some((row) => row.includes(words)));
  expect(missing).toEqual([]);
});

import { expect, test } from 'vitest';
import { rowForms } from './row-forms.ts';
import { rowsPage } from './rows-page.ts';

/** The rows of ms-swift's own table of schemas. */
const schemas = [
  ...['messages (standard)', 'ShareGPT (from/value)', 'ShareGPT (pairs)', 'query/response', 'Alpaca', 'OpenAI tools'],
  ...['OpenAI blocks', 'Anthropic', 'pre-training', 'per-message control', 'channel', 'per-row template args'],
  ...['DPO/ORPO/CPO/SimPO/RM', 'KTO', 'PPO/GRPO', 'GRPO gym', 'GKD / OPD / OPSD', 'seq_cls', 'embedding', 'reranker'],
  ...['multimodal', 'grounding', 'text-to-image', 'PRM', 'agent', 'ASR/TTS extras'],
];

test('every schema of ms-swift has a form', () => {
  expect(new Set(rowForms.flatMap(({ swift }) => swift ?? []))).toEqual(new Set(schemas));
});

test('links of the page lead to its sections', () => {
  const page = rowsPage();
  const headings = new Set(
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
  for (const [, target = ''] of page.matchAll(/\]\(#([^)]*)\)/g)) expect(headings).toContain(target);
});

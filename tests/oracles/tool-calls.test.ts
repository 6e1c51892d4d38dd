import { expect, test } from 'vitest';
import { MartletError } from '../../src/core/error.ts';
import { compileTemplate, toolCallsOf } from '../../src/render/index.ts';
import type { ChatTemplateProgram } from '../../src/render/template.ts';
import { describeWithOracles } from '../support/oracle.ts';
import { findTemplates } from './real-templates.ts';

const added = (...marks: readonly string[]) => ({
  addedTokens: new Map(marks.map((mark, id) => [mark, { id, special: true }])) as never,
});

/** Pieces of templates that stand in Python's sources are none. */
function compiled(text: string): ChatTemplateProgram | undefined {
  try {
    return compileTemplate(text);
  } catch (error) {
    if (MartletError.is(error) && error.code === 'template-syntax') return undefined;
    throw error;
  }
}

describeWithOracles('templates of transformers and TRL', () => {
  test('each that shows tools has its calls read back; where it leaves them out, by the tokens of its model', async () => {
    const unread: string[] = [];
    let offering = 0;
    for (const { text, file } of await findTemplates({ installed: ['transformers', 'trl'] })) {
      const template = compiled(text);
      if (!template) continue;
      const request = { template, specialTokens: {}, agent: 'none' } as const;
      const calls = toolCallsOf({ ...request, tokenizer: added() });
      if (!calls.offers) continue;
      offering++;
      if (calls.format !== 'none') continue;
      unread.push(file.split('/').at(-1) ?? '');
      const marks = ['<|tool_call_start|>', '<|tool_call_end|>'];
      const known = toolCallsOf({ ...request, tokenizer: added('<|im_end|>', ...marks) });
      expect(known.format, file).toBe('lfm2');
      expect(known.marks, file).toEqual(new Set([1, 2]));
    }
    expect(offering).toBeGreaterThan(40);
    // Both write nothing for a call.
    expect(unread.sort()).toEqual(['lfm2.jinja', 'lfm2_training.jinja']);
  });
});

import { afterAll, expect, test } from 'vitest';
import { testFolder } from '../test-rows.ts';
import { chat } from '../test-samples.ts';
import { openSteps } from './open-steps.ts';
import type { WholeRows } from './step.ts';

const files = testFolder();
afterAll(() => files.remove());

test('a step of your own is a module beside the recipe', async () => {
  const module = files.write(
    'own-step.mjs',
    [
      `import { z } from ${JSON.stringify(import.meta.resolve('zod'))};`,
      "export const step = ({ name: 'shout', version: 1, options: z.object({ mark: z.string() }), open: ({ mark }) => ({ kind: 'rows', apply: (sample) => ({ changes: ['shouted ' + mark] }) }) });",
    ].join('\n'),
  );
  const [step] = await openSteps([{ step: module, module, options: { mark: '!' } }]);
  expect(step?.step.kind === 'rows' && step.step.apply(chat('q', 'a'))).toEqual({ changes: ['shouted !'] });
  await expect(openSteps([{ step: module, module, options: { mark: 3 } }])).rejects.toMatchObject({
    code: 'invalid-input',
  });
  const none = files.write('no-step.mjs', 'export const x = 1;');
  await expect(openSteps([{ step: none, module: none, options: null }])).rejects.toMatchObject({
    issues: [{ code: 'step-unreadable', path: ['data', 'steps', 0] }],
  });
});

test('what a step of your own gets wrong is the fate of the row, and never a crash', async () => {
  const opened = async (name: string, open: string) => {
    const module = files.write(
      `${name}.mjs`,
      `import { z } from ${JSON.stringify(import.meta.resolve('zod'))};
export const step = { name: '${name}', version: 1, options: z.any(), open: ${open} };`,
    );
    return openSteps([{ step: module, module, options: {} }]);
  };
  const verdict = async (name: string, apply: string) => {
    const [own] = await opened(name, `() => ({ kind: 'rows', apply: ${apply} })`);
    return own?.step.kind === 'rows' ? own.step.apply(chat('q', 'a')) : undefined;
  };
  const fate = (reason: string) => ({ drop: { fate: 'invalid', code: 'step-failed', reason } });
  expect(await verdict('thrower', "() => { throw new TypeError('no such thing'); }")).toEqual(
    fate('the step thrower fails: no such thing'),
  );
  expect(await verdict('late', 'async () => null')).toEqual(
    fate('the step late answers with a promise: write apply without async'),
  );
  expect(await verdict('loose', '(sample) => ({ sample: { ...sample, messages: [{ role: "me" }] } })')).toMatchObject(
    fate(expect.stringMatching(/^the step loose makes a row that is none: messages\[0\]\.role: /)),
  );
  const wrongs = {
    '({ dorp: 1 })': /answers with dorp; expected \{ sample, changes, drop, truncated \}, .*; did you mean drop\?$/,
    '(sample) => sample': /answers with a row; expected \{ sample: row \}, or null/,
    '[1]': /answers with a list; expected/,
    "({ drop: { fate: 'gone', code: 'x', reason: 'y' } })":
      /answers with drop: .*; expected drop: \{ fate: filtered \| /,
    "({ drop: { fate: 'filterd', code: 'x', reason: 'y' } })": /; did you mean filtered\?$/,
    "({ drop: { fate: 'train', code: 'x', reason: 'y' } })": /: train is not for a step to say$/,
    "({ drop: { fate: 'filtered', code: 'x', reson: 'y' } })": /expected drop: /,
    '({ drop: true })': /answers with drop: true; expected drop: /,
    "({ changes: 'all' })": /answers with changes that is wrong: /,
  };
  for (const [index, [answer, reason]] of Object.entries(wrongs).entries())
    expect(await verdict(`wrong${index}`, answer.includes('=>') ? answer : `() => ${answer}`), answer).toEqual(
      fate(expect.stringMatching(reason) as never),
    );
  expect(await verdict('silent', '() => undefined')).toBeNull();
  await expect(opened('closed', "async () => { throw new Error('no key'); }")).rejects.toMatchObject({
    issues: [{ code: 'step-failed', path: ['data', 'steps', 0], message: 'the step closed fails: no key.' }],
  });
  const [whole] = await opened('whole', "() => ({ kind: 'whole', featureBytes: 0, decide: () => { throw 'odd'; } })");
  expect(() => whole?.step.kind === 'whole' && whole.step.decide({} as never)).toThrow('the step whole fails: odd');
  const rows = { count: 3 } as WholeRows;
  for (const [index, [decide, reason]] of Object.entries({
    null: /decides null; expected \{ drops, order \}/,
    "({ drops: [[1, { fate: 'gone', code: 'x', reason: 'y' }]] })": /decides drop: .*; expected drop: /,
    "({ drops: [[3, { fate: 'filtered', code: 'x', reason: 'y' }]] })": /drops row 3; expected .* below 3/,
    '({ drops: [], order: [0, 1, 2] })': /order must be a Uint32Array/,
  }).entries()) {
    const [own] = await opened(`whole${index}`, `() => ({ kind: 'whole', featureBytes: 0, decide: () => ${decide} })`);
    const dropped = () => own?.step.kind === 'whole' && [...own.step.decide(rows).drops];
    expect(dropped, decide).toThrow(
      expect.objectContaining({ code: 'step-failed', message: expect.stringMatching(reason) }),
    );
  }
  await expect(opened('none', '() => (sample) => null')).rejects.toMatchObject({
    issues: [{ code: 'step-failed', message: expect.stringContaining("expected { kind: 'rows', apply }") }],
  });
});

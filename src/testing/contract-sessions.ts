import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { TrainSession } from '../spec/train-engine.ts';
import { readEvents } from '../store/runs/run-events.ts';
import { train } from '../train/index.ts';
import { type ContractCase, type ContractTools, greedy, lora, withDropout } from './contract-tools.ts';

/** What a session keeps to: what it loads, answers, refuses, and how it ends. */
export function sessionCases({ engine, start, runWith, course, near }: ContractTools): readonly ContractCase[] {
  return [
    {
      name: 'load echoes the hash of what the plan file says, not the hash that stands in it',
      async run() {
        const run = await runWith(lora);
        await using session = await start();
        const loaded = await session.load(run.load());
        assert.equal(loaded.planHash, run.plan.hash);
        assert.equal(loaded.config.num_hidden_layers, 2);
        const gradients = await session.gradients();
        const counted = Object.values(gradients).reduce((sum, { data }) => sum + data.length, 0);
        assert.equal(loaded.trainableParameters, counted);

        const altered = join(run.folder, 'altered.json');
        const values = { ...run.plan.values, train: { ...run.plan.values.train, seed: 7 } };
        await writeFile(altered, JSON.stringify({ ...run.plan, values }));
        await using other = await start();
        assert.notEqual((await other.load(run.load({ planFile: altered }))).planHash, run.plan.hash);
      },
    },
    {
      name: 'a plan file that is not the plan stops the run before its first step',
      async run() {
        const run = await runWith(lora);
        const altered = join(run.folder, 'altered.json');
        const values = { ...run.plan.values, train: { ...run.plan.values.train, weightDecay: 0.5 } };
        await writeFile(altered, JSON.stringify({ ...run.plan, values }));
        const runFolder = await run.emptyFolder('stopped');
        const { baseFolder } = run.load();
        const trained = train({
          plan: run.plan,
          planFile: altered,
          baseFolder,
          shardsFolder: run.load().shardsFolder ?? '',
          steps: 4,
          hasHeldOut: true,
          runFolder,
          engine,
          clock: () => new Date(0),
        });
        await assert.rejects(trained, { code: 'plan-mismatch' });
        const events = await readEvents(join(runFolder, 'events.jsonl'));
        assert.deepEqual(
          events.map(({ type }) => type),
          ['run-failed'],
        );
      },
    },
    {
      name: 'a checkpoint answers as the session that saved it did',
      async run() {
        const run = await runWith(withDropout);
        const saved = await run.emptyFolder('saved');
        const sequences = run.heldout.map(({ ids }) => [...ids]);
        await using session = await start();
        await session.load(run.load());
        for (let step = 0; step < 3; step++) await session.step({ step, learningRate: 0.02 });
        await session.save({ folder: saved });
        await using answering = await start();
        await answering.load(run.load({ checkpointFolder: saved, shardsFolder: null, purpose: 'inference' }));
        assert.deepEqual(
          await answering.score({ sequences, logits: true }),
          await session.score({ sequences, logits: true }),
        );
        const asked = { prompts: sequences.map((ids) => ids.slice(0, 5)), sampling: greedy };
        const [theirs, ours] = [await answering.generate(asked), await session.generate(asked)];
        assert.deepEqual(theirs.completions, ours.completions);
      },
    },
    {
      name: 'a greedy answer is the likeliest token each time; stop tokens, seeds and the base are heeded',
      async run() {
        const run = await runWith(lora);
        await using session = await start();
        await session.load(run.load());
        for (let step = 0; step < 3; step++) await session.step({ step, learningRate: 0.05 });
        const prompts = run.heldout.map(({ ids }) => [...ids.subarray(0, 4)]);
        const { completions } = await session.generate({ prompts, sampling: greedy });
        const { completions: ofBase } = await session.generate({ prompts, sampling: greedy, base: true });
        for (const [base, answers] of [
          [false, completions],
          [true, ofBase],
        ] as const) {
          const sequences = prompts.map((prompt, index) => [...prompt, ...(answers[index]?.ids ?? [])]);
          const scored = await session.score({ sequences, logits: true, base });
          for (const [index, { ids, finishReason }] of answers.entries()) {
            assert.equal(ids.length, greedy.maxTokens);
            assert.equal(finishReason, 'length');
            const logits = scored.sequences[index]?.logits ?? new Float32Array();
            const vocabulary = logits.length / (sequences[index]?.length ?? 1);
            const start = (prompts[index]?.length ?? 0) - 1;
            ids.forEach((id, place) => {
              const row = logits.subarray((start + place) * vocabulary, (start + place + 1) * vocabulary);
              const highest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
              near(row[id] ?? Number.NaN, highest, `logit of token ${place} of answer ${index}`);
            });
          }
        }
        assert.notDeepEqual(ofBase, completions);
        const stopTokens = [completions[0]?.ids[2] ?? -1];
        const stopped = await session.generate({ prompts, sampling: { ...greedy, stopTokens } });
        const until = completions[0]?.ids.indexOf(stopTokens[0] ?? -1) ?? -1;
        assert.deepEqual(stopped.completions[0], { ids: completions[0]?.ids.slice(0, until), finishReason: 'stop' });
        const drawn = { ...greedy, temperature: 1, maxTokens: 8 };
        const once = await session.generate({ prompts, sampling: drawn });
        assert.deepEqual((await session.generate({ prompts, sampling: drawn })).completions, once.completions);
        const other = await session.generate({ prompts, sampling: { ...drawn, seed: 2 } });
        assert.notDeepEqual(other.completions, once.completions);
      },
    },
    {
      name: 'what cannot be done is refused with a code, and the session goes on answering',
      async run() {
        const run = await runWith(lora);
        await using session = await start();
        const refused = async (answer: Promise<unknown>, what: string): Promise<void> => {
          const error = await answer.then(
            () => assert.fail(`${what} was not refused`),
            (each: unknown) => each,
          );
          assert.ok(MartletError.is(error) && error.code !== '' && error.message !== '', `${what}: ${error}`);
        };
        await refused(session.step({ step: 0, learningRate: 1 }), 'a step before anything is loaded');
        await refused(session.load(run.load({ planFile: join(run.folder, 'none.json') })), 'a plan that is not there');
        await refused(session.load(run.load({ baseFolder: join(run.folder, 'none') })), 'a base that is not there');
        await refused(session.load(run.load({ shardsFolder: join(run.folder, 'none') })), 'shards that are not there');
        const empty = await run.emptyFolder('empty');
        await refused(session.load(run.load({ checkpointFolder: empty })), 'a checkpoint that holds nothing');
        await session.load(run.load());
        await refused(session.step({ step: 4, learningRate: 1 }), 'a step after the last');
        await refused(session.save({ folder: join(run.folder, 'no/such/folder') }), 'a folder that is not there');
        assert.ok(Number.isFinite((await session.step({ step: 0, learningRate: 0.01 })).loss));

        await using answering = await start();
        await answering.load(run.load({ purpose: 'inference' }));
        await refused(answering.step({ step: 0, learningRate: 1 }), 'a step of a session that only answers');
        assert.ok(Number.isFinite((await answering.evaluate({ split: 'heldout' })).loss));
      },
    },
    {
      name: 'it can be stopped during any message, and another session starts after that',
      async run() {
        const run = await runWith(lora);
        const messages: Readonly<Record<string, (session: TrainSession) => Promise<unknown>>> = {
          load: (session) => session.load(run.load()),
          step: (session) => session.step({ step: 0, learningRate: 0.01 }),
          evaluate: (session) => session.evaluate({ split: 'train' }),
          generate: (session) => session.generate({ prompts: [[4, 5, 6]], sampling: { ...greedy, maxTokens: 50 } }),
          score: (session) => session.score({ sequences: [[4, 5, 6]] }),
          save: async (session) => session.save({ folder: await run.emptyFolder('half') }),
        };
        for (const [name, message] of Object.entries(messages)) {
          const session = await start();
          if (name !== 'load') await session.load(run.load());
          const answer = message(session).then(
            () => 'answered',
            (error: unknown) => (MartletError.is(error) ? 'refused' : `threw ${error}`),
          );
          await session[Symbol.asyncDispose]();
          assert.ok(['answered', 'refused'].includes(await answer), `${name}: ${await answer}`);
          await assert.rejects(
            session.score({ sequences: [[4, 5]] }),
            MartletError,
            `${name}: it answers after its end`,
          );
          await session[Symbol.asyncDispose]();
        }
        assert.equal((await course(run, { to: 1 })).length, 1);
      },
    },
  ];
}

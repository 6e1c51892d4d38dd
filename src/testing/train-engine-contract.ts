import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { PrepareRequest, TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { hashFolder } from '../store/files/files.ts';
import { readEvents } from '../store/runs/run-events.ts';
import { train } from '../train/index.ts';
import { type ContractRun, contractRun } from './contract-fixture.ts';
import { distance, type Exact, exact, firstGradients, lossesOf } from './contract-measures.ts';

export interface TrainEngineContractOptions {
  readonly engine: TrainEngine;
  /** An empty folder; the caller removes it. */
  readonly folder: string;
  readonly threads?: number;
  /** Largest relative difference between two ways to the same number. 1e-4 unless given; an engine in bf16 needs more. */
  readonly tolerance?: number;
}

export interface ContractCase {
  readonly name: string;
  /** Rejects with an assertion error when the engine breaks this part of the contract. */
  readonly run: () => Promise<void>;
}

const greedy = { temperature: 0, topP: 1, topK: 0, seed: 1, maxTokens: 5, stopTokens: [] };
const lora = ['adapter.rank=4'];
const withDropout = [...lora, 'adapter.dropout=0.2'];
const full = ['adapter.kind=full', 'train.learningRate=0.001'];

/**
 * What every implementation of `spec/TrainEngine` keeps to, as cases for any test runner:
 * `for (const { name, run } of trainEngineContract(options)) test(name, run);`
 */
export function trainEngineContract(options: TrainEngineContractOptions): readonly ContractCase[] {
  const { engine, folder, threads = 1, tolerance = 1e-4 } = options;
  const start = (): Promise<TrainSession> => engine.start({});
  const runWith = (flags: readonly string[]): Promise<ContractRun> =>
    contractRun({ folder, flags: [`execution.threads=${threads}`, ...flags] });
  /** A fresh session that trains the steps `from` to `to`; `between` is asked of it after each. */
  const course = async (
    run: ContractRun,
    how: {
      readonly from?: number;
      readonly to: number;
      readonly checkpoint?: string;
      readonly save?: string;
      /** Told before `load`. */
      readonly hints?: readonly PrepareRequest[];
      readonly between?: (session: TrainSession) => Promise<unknown>;
    },
  ): Promise<Exact[]> => {
    await using session = await start();
    for (const hint of how.hints ?? []) await session.prepare(hint);
    await session.load(run.load({ checkpointFolder: how.checkpoint ?? null }));
    const results: Exact[] = [];
    for (let step = how.from ?? 0; step < how.to; step++) {
      results.push(exact(await session.step({ step, learningRate: run.plan.values.train.learningRate })));
      await how.between?.(session);
    }
    if (how.save) await session.save({ folder: how.save });
    return results;
  };
  const near = (actual: number, expected: number, what: string): void =>
    assert.ok(
      Math.abs(actual - expected) <= tolerance * Math.max(1e-3, Math.abs(expected)),
      `${what}: ${actual}, where ${expected} was expected`,
    );

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
      name: 'the loss is the mean over learned tokens by weight, as score gives their log-probabilities',
      async run() {
        const run = await runWith(lora);
        await using session = await start();
        await session.load(run.load());
        const heldout = await session.evaluate({ split: 'heldout' });
        const expected = await lossesOf(session, run.heldout);
        near(heldout.loss, expected.mean, 'held-out loss');
        assert.equal(heldout.learnedTokens, expected.learnedTokens);
        assert.equal(heldout.documents.length, run.heldout.length);
        heldout.documents.forEach((loss, index) => {
          near(loss, expected.rows[index] ?? Number.NaN, `document ${index}`);
        });
        // Step 0 is measured before anything is learned; which rows it takes is the schedule's business.
        const step = await session.step({ step: 0, learningRate: 0 });
        assert.equal(step.rows, 4);
        assert.ok(step.learnedTokens > 0 && step.learnedTokens < step.tokens);
        const all = await session.evaluate({ split: 'train' });
        near(step.loss, all.loss, 'loss of step 0, which evaluate gives for the training split');
      },
    },
    {
      name: 'how a step is cut into packs changes nothing',
      async run() {
        const one = await runWith(lora);
        const many = await runWith([...lora, 'train.packTokens=16']);
        const [whole, cut] = await Promise.all([firstGradients(one, start), firstGradients(many, start)]);
        near(cut.result.loss, whole.result.loss, 'loss');
        near(cut.result.gradientNorm, whole.result.gradientNorm, 'norm');
        assert.equal(cut.result.learnedTokens, whole.result.learnedTokens);
        for (const [name, { data }] of Object.entries(whole.gradients))
          assert.ok(
            distance(cut.gradients[name]?.data, data) <= 10 * tolerance,
            `gradient of ${name}: ${distance(cut.gradients[name]?.data, data)}`,
          );
      },
    },
    {
      name: 'the norm of a step is that of its gradients, and only what is trained has one',
      async run() {
        for (const flags of [lora, full]) {
          const run = await runWith([...flags, 'train.clipNorm=0.001']);
          const { result, gradients } = await firstGradients(run, start);
          let squares = 0;
          for (const { data, shape } of Object.values(gradients)) {
            assert.equal(
              data.length,
              shape.reduce((product, size) => product * size, 1),
            );
            for (const value of data) squares += value * value;
          }
          near(result.gradientNorm, Math.sqrt(squares), 'norm, before clipping');
          const isLora = flags === lora;
          assert.equal(
            Object.keys(gradients).every((name) => name.includes('lora_')),
            isLora,
          );
        }
      },
    },
    {
      name: 'training lowers the loss, and an adapter leaves the base alone',
      async run() {
        const run = await runWith(lora);
        const before = await hashFolder(run.load().baseFolder);
        const sequences = run.heldout.map(({ ids }) => [...ids]);
        await using session = await start();
        await session.load(run.load());
        const base = await session.score({ sequences, base: true, logits: true });
        assert.deepEqual(await session.score({ sequences, logits: true }), base, 'a fresh adapter changes nothing');
        const first = await session.evaluate({ split: 'train' });
        for (let step = 0; step < 4; step++) await session.step({ step, learningRate: 0.02 });
        const trained = await session.evaluate({ split: 'train' });
        assert.ok(trained.loss < first.loss, `${trained.loss} after ${first.loss}`);
        assert.deepEqual(await session.score({ sequences, base: true, logits: true }), base, 'the base was changed');
        assert.notDeepEqual(await session.score({ sequences, logits: true }), base);
        near((await session.evaluate({ split: 'train', base: true })).loss, first.loss, 'loss of the base');
        assert.deepEqual(await hashFolder(run.load().baseFolder), before, 'files of the base were changed');
      },
    },
    {
      name: 'the same seed gives the same course to the last bit, whatever is asked in between; another seed another',
      async run() {
        const run = await runWith(withDropout);
        const folders = [await run.emptyFolder('one'), await run.emptyFolder('two')];
        const plain = await course(run, { to: 4, save: folders[0] ?? '' });
        const asked = await course(run, {
          to: 4,
          save: folders[1] ?? '',
          between: async (session) => {
            await session.evaluate({ split: 'heldout' });
            await session.generate({ prompts: [[5, 6, 7]], sampling: greedy });
            await session.score({ sequences: [[5, 6, 7, 8]] });
          },
        });
        assert.deepEqual(asked, plain);
        assert.deepEqual(await hashFolder(folders[1] ?? ''), await hashFolder(folders[0] ?? ''));
        const other = await course(await runWith([...withDropout, 'train.seed=7']), { to: 2 });
        assert.notDeepEqual(other, plain.slice(0, 2));
      },
    },
    ...[withDropout, full].map(
      (flags): ContractCase => ({
        name: `what is saved in the middle goes on to the same bytes (${flags === full ? 'full' : 'LoRA with dropout'})`,
        async run() {
          const run = await runWith(flags);
          const [middle, resumed, whole] = [
            await run.emptyFolder('middle'),
            await run.emptyFolder('resumed'),
            await run.emptyFolder('whole'),
          ];
          const undisturbed = await course(run, { to: 4, save: whole });
          const first = await course(run, { to: 2, save: middle });
          const second = await course(run, { from: 2, to: 4, checkpoint: middle, save: resumed });
          assert.deepEqual([...first, ...second], undisturbed);
          assert.deepEqual(await hashFolder(resumed), await hashFolder(whole));
          const names = await readdir(whole);
          const weights =
            flags === full
              ? ['config.json', 'model.safetensors']
              : ['adapter_config.json', 'adapter_model.safetensors'];
          for (const name of [...weights, 'optimizer.safetensors'])
            assert.ok(names.includes(name), `${name} is missing among ${names.join(', ')}`);
        },
      }),
    ),
    ...[lora, full].map(
      (flags): ContractCase => ({
        name: `${flags === full ? 'full' : 'LoRA'}: what it is told ahead, right or wrong, changes nothing`,
        async run() {
          const run = await runWith(flags);
          const { baseFolder, planFile } = run.load();
          const none = join(run.folder, 'none');
          const [plain, middle] = [await run.emptyFolder('plain'), await run.emptyFolder('middle')];
          const steps = await course(run, { to: 2, save: plain });
          for (const hints of [
            [{ baseFolder }],
            [{ baseFolder }, { baseFolder, planFile }],
            [{ baseFolder: none, planFile }],
            [{ baseFolder, planFile: none }],
          ])
            assert.deepEqual(await course(run, { to: 2, hints }), steps);
          await course(run, { to: 1, save: middle });
          const resumed = { from: 1, to: 2, checkpoint: middle, hints: [{ baseFolder, planFile }] };
          assert.deepEqual(await course(run, resumed), steps.slice(1));
        },
      }),
    ),
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
      name: 'a step whose loss is no number leaves the weights alone',
      async run() {
        const run = await runWith([...lora, 'train.clipNorm=0']);
        await using session = await start();
        await session.load(run.load());
        let result = await session.step({ step: 0, learningRate: 1e30 });
        let step = 0;
        while (Number.isFinite(result.loss) && Number.isFinite(result.gradientNorm) && ++step < 4)
          result = await session.step({ step, learningRate: 1e30 });
        assert.ok(step < 4, 'weights of 1e30 give a loss that is a number');
        const [one, two] = [await run.emptyFolder('one'), await run.emptyFolder('two')];
        await session.save({ folder: one });
        await session.step({ step, learningRate: 1e-3 });
        await session.save({ folder: two });
        assert.deepEqual(await hashFolder(two), await hashFolder(one));
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

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFolder } from '../store/files/files.ts';
import { distance, firstGradients, lossesOf } from './contract-measures.ts';
import { type ContractCase, type ContractTools, full, greedy, lora, withDropout } from './contract-tools.ts';

/** What a step is: its loss, its gradients, and the bytes it leads to. */
export function trainingCases({ tolerance, start, runWith, course, near }: ContractTools): readonly ContractCase[] {
  return [
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
  ];
}

import { MartletError, messageOf } from '../core/error.ts';
import { type RandomStream, randomStream, streamKey } from '../core/random.ts';
import type { EngineToken } from '../spec/engine.ts';
import type { Sampling } from '../spec/train-engine.ts';
import { type Decoder, openDecodeBase, openDecoder } from './decoder.ts';
import { type Drafter, nextTokens, openDrafter } from './drafter.ts';
import { loadModel } from './model.ts';
import { readAdapter } from './peft.ts';
import { openRuntime } from './runtime.ts';
import { sampleToken, tokenProbabilities } from './sampling.ts';
import { hostWorker } from './worker-host.ts';

/** The process that answers: see `embedded-engine.ts` for the side that asks. */
export interface ServeWorkerArgument {
  readonly threads: number;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly baseFolder: string;
  /** Adapter folder by model name; null answers as the base. */
  readonly models: Readonly<Record<string, string | null>>;
  /** Sequences of one model answered at a time. */
  readonly slots: number;
  /** Most tokens of prompt and answer. */
  readonly maxLength: number;
}

export interface Submission {
  readonly id: number;
  readonly model: string;
  readonly prompt: readonly number[];
  readonly sampling: Sampling;
  readonly top: number | null;
}

/** What comes back for a submission, several at a time. */
export type ServeEvent =
  | { readonly log: string }
  | { readonly tokens: readonly { readonly id: number; readonly token: EngineToken }[] }
  | { readonly failed: readonly number[]; readonly code: string; readonly message: string };

interface Active {
  readonly submission: Submission;
  readonly random: RandomStream;
  readonly drafter: Drafter;
  count: number;
  pending: number;
}

/** The sequences of one model name: those that have a slot, in slot order, and those that wait for one. */
interface Lane {
  readonly decoder: Decoder;
  readonly active: Active[];
  readonly waiting: Submission[];
}

hostWorker((emit) => {
  const lanes = new Map<string, Lane>();
  const dropped = new Set<number>();
  let busy = false;

  const laneOf = (name: string): Lane => {
    const lane = lanes.get(name);
    if (!lane) throw new MartletError('model-missing', `no model is served as "${name}"`);
    return lane;
  };

  const release = (lane: Lane, slot: number): void => {
    lane.decoder.release(slot);
    const last = lane.active.pop();
    if (last && slot < lane.active.length) lane.active[slot] = last;
  };

  /** Takes the next token of a sequence. @returns what to report; the sequence is over when it has a finish reason. */
  const take = (active: Active, logits: Float32Array): EngineToken => {
    const { sampling, top } = active.submission;
    const id = sampleToken(logits, sampling, active.random);
    const stopped = sampling.stopTokens.includes(id);
    active.count++;
    active.pending = id;
    active.drafter.append([id]);
    const probabilities = top === null ? null : tokenProbabilities(logits, id, top);
    const finishReason = stopped ? 'stop' : active.count >= sampling.maxTokens ? 'length' : null;
    return { id, logProbability: probabilities?.logProbability ?? null, top: probabilities?.top ?? [], finishReason };
  };

  /** One turn of a lane: every active sequence gets its next token, then a waiting prompt is read if there is a slot. */
  const turn = async (lane: Lane): Promise<void> => {
    const tokens: { id: number; token: EngineToken }[] = [];
    for (let slot = lane.active.length - 1; slot >= 0; slot--)
      if (dropped.delete(lane.active[slot]?.submission.id ?? -1)) release(lane, slot);
    const [only] = lane.active;
    if (only && lane.active.length === 1) {
      const next = await nextTokens({
        decoder: lane.decoder,
        drafter: only.drafter,
        pending: only.pending,
        most: only.submission.sampling.maxTokens - only.count,
        take: (logits) => take(only, logits),
      });
      for (const token of next) {
        tokens.push({ id: only.submission.id, token });
        if (token.finishReason) release(lane, 0);
      }
    } else if (lane.active.length > 0) {
      const logits = await lane.decoder.step(lane.active.map((active) => active.pending));
      const vocabulary = logits.length / lane.active.length;
      for (let slot = lane.active.length - 1; slot >= 0; slot--) {
        const active = lane.active[slot];
        if (!active) continue;
        const token = take(active, logits.subarray(slot * vocabulary, (slot + 1) * vocabulary));
        tokens.push({ id: active.submission.id, token });
        if (token.finishReason) release(lane, slot);
      }
    }
    // One prompt a turn: reading a long one must not hold up the others for more than that.
    const next = lane.active.length < lane.decoder.slots ? lane.waiting.shift() : undefined;
    if (next && !dropped.delete(next.id)) {
      const active: Active = {
        submission: next,
        random: randomStream(streamKey(next.sampling.seed)),
        drafter: openDrafter(next.prompt),
        count: 0,
        pending: 0,
      };
      lane.active.push(active);
      const token = take(active, await lane.decoder.admit(next.prompt));
      tokens.push({ id: next.id, token });
      if (token.finishReason) release(lane, lane.active.length - 1);
    }
    if (tokens.length > 0) emit({ tokens } satisfies ServeEvent);
  };

  const work = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      for (;;) {
        const due = [...lanes.values()].filter((lane) => lane.active.length > 0 || lane.waiting.length > 0);
        if (due.length === 0) return;
        for (const lane of due) {
          try {
            await turn(lane);
          } catch (error) {
            // What failed is this lane's batch; nothing of it can be trusted to continue.
            const failed = [
              ...lane.active.map((active) => active.submission.id),
              ...lane.waiting.map((each) => each.id),
            ];
            while (lane.active.length > 0) release(lane, lane.active.length - 1);
            lane.waiting.length = 0;
            emit({
              failed,
              code: MartletError.is(error) ? error.code : 'engine-failed',
              message: messageOf(error),
            } satisfies ServeEvent);
          }
        }
        // Lets messages in: submissions and drops.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      busy = false;
    }
  };

  return {
    async start(argument: ServeWorkerArgument) {
      const { threads, home, env, baseFolder, models, slots, maxLength } = argument;
      const runtime = await openRuntime({
        threads,
        home,
        env,
        log: (line) => emit({ log: line } satisfies ServeEvent),
      });
      const model = await loadModel(runtime, baseFolder);
      const adapters = new Map<string, Awaited<ReturnType<typeof readAdapter>> | null>();
      for (const [name, folder] of Object.entries(models))
        adapters.set(name, folder === null ? null : await readAdapter(folder, model));
      const targets = [...new Set([...adapters.values()].flatMap((adapter) => adapter?.shape.targets ?? []))];
      const base = await openDecodeBase({ runtime, model, targets });
      model.release();
      for (const [name, adapter] of adapters)
        lanes.set(name, { decoder: openDecoder({ base, adapter, slots, maxLength }), active: [], waiting: [] });
    },
    async submit(submission: Submission) {
      laneOf(submission.model).waiting.push(submission);
      void work();
    },
    async drop(id: number) {
      const live = [...lanes.values()].some(
        (lane) =>
          lane.active.some((active) => active.submission.id === id) || lane.waiting.some((each) => each.id === id),
      );
      if (live) dropped.add(id);
    },
    async state() {
      const all = [...lanes.values()];
      const sum = (count: (lane: Lane) => number): number => all.reduce((total, lane) => total + count(lane), 0);
      return { active: sum((lane) => lane.active.length), waiting: sum((lane) => lane.waiting.length) };
    },
  };
});

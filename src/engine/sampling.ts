import type { RandomStream } from '../core/random.ts';
import type { Sampling } from '../spec/train-engine.ts';

/** The next token. Temperature 0 takes the likeliest (the lowest id on a tie); otherwise top-k, then top-p, then a draw. */
export function sampleToken(
  logits: Float32Array,
  sampling: Pick<Sampling, 'temperature' | 'topP' | 'topK'>,
  random: RandomStream,
): number {
  if (sampling.temperature === 0) return likeliest(logits);
  const candidates = sorted(
    logits,
    sampling.topK > 0 ? sampling.topK : logits.length,
    sampling.topP < 1 || sampling.topK > 0,
  );
  // Taken off before exp, which would overflow; the candidates need not be in order.
  const top = logits[likeliest(logits)] ?? 0;
  const shares = new Float64Array(candidates.length);
  let total = 0;
  candidates.forEach((id, index) => {
    const share = Math.exp(((logits[id] ?? 0) - top) / sampling.temperature);
    shares[index] = share;
    total += share;
  });
  // The smallest set of likeliest tokens that holds top-p of the probability.
  let kept = candidates.length;
  let held = total;
  if (sampling.topP < 1) {
    held = 0;
    kept = 0;
    while (kept < candidates.length && (kept === 0 || held < sampling.topP * total)) held += shares[kept++] ?? 0;
  }
  let rest = random.uniform() * held;
  for (let index = 0; index < kept; index++) {
    rest -= shares[index] ?? 0;
    if (rest < 0) return candidates[index] ?? 0;
  }
  // Rounding left a little over: the last that can be drawn at all.
  while (kept > 1 && shares[kept - 1] === 0) kept--;
  return candidates[kept - 1] ?? 0;
}

export interface TokenProbabilities {
  readonly logProbability: number;
  readonly top: readonly { readonly id: number; readonly logProbability: number }[];
}

/** Log-probabilities under the model itself, before temperature and cuts. */
export function tokenProbabilities(logits: Float32Array, id: number, top: number): TokenProbabilities {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) highest = Math.max(highest, logits[i] as number);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp((logits[i] as number) - highest);
  const rest = Math.log(total);
  const of = (token: number): number => (logits[token] ?? Number.NaN) - highest - rest;
  return {
    logProbability: of(id),
    top:
      top === 0
        ? []
        : Array.from(sorted(logits, top, true), (candidate) => ({
            id: candidate,
            logProbability: of(candidate),
          })),
  };
}

export function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] as number) > (logits[best] as number)) best = i;
  return best;
}

/** The `count` likeliest ids, in falling order when `ordered`. */
function sorted(logits: Float32Array, count: number, ordered: boolean): Uint32Array {
  const ids = Uint32Array.from(logits, (_, index) => index);
  if (!ordered) return ids;
  if (count >= logits.length / 8)
    return ids.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b).subarray(0, count);
  // Few of many: keep the best so far in order.
  const best: number[] = [];
  for (const id of ids) {
    const value = logits[id] as number;
    if (best.length === count && value <= (logits[best[count - 1] ?? 0] as number)) continue;
    let place = best.length;
    while (place > 0 && (logits[best[place - 1] ?? 0] as number) < value) place--;
    best.splice(place, 0, id);
    if (best.length > count) best.pop();
  }
  return Uint32Array.from(best);
}

import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';

/** How a byte-level vocabulary cuts text before it merges. */
interface Cut {
  /** A regular expression of the crate; undefined for GPT-2's own. */
  readonly split?: string;
  /** Each digit stands alone, before anything else is cut. */
  readonly digits?: boolean;
  /** A piece that is a token is taken whole, whatever the merges say. */
  readonly whole?: boolean;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const llama3: Cut = { split: String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}${rest}`, whole: true };
const qwen2: Cut = { split: String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${rest}` };
const tekken: Cut = {
  split:
    String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
    String.raw`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` +
    String.raw`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  whole: true,
};

/**
 * By `tokenizer.ggml.pre`, as llama.cpp reads it, which is what such a file was tested with. transformers 5 knows no
 * `smollm` and cuts it as GPT-2: its ids differ where two or more spaces or line ends stand before a digit (SmolLM2 was
 * trained with digits cut off first, as here).
 */
const cuts: Readonly<Record<string, Cut>> = {
  default: {},
  'gpt-2': {},
  smollm: { digits: true },
  starcoder: { digits: true },
  refact: { digits: true },
  'command-r': { digits: true },
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  falcon3: llama3,
  'smaug-bpe': { ...llama3, whole: false },
  qwen2,
  'deepseek-r1-qwen': qwen2,
  tekken,
};

/** @throws MartletError `unsupported-tokenizer` for a name whose cut is not known: a guess would be silently wrong. */
export function preTokenizerOf(name: string): { pre_tokenizer: unknown; ignore_merges: boolean } {
  const cut = Object.hasOwn(cuts, name) ? cuts[name] : undefined;
  if (!cut) {
    const nearest = nearestName(name, Object.keys(cuts));
    throw new MartletError('unsupported-tokenizer', `the GGUF cuts text by "${name}", which is not known here`, {
      hint: `Known are ${Object.keys(cuts).join(', ')}.${nearest ? ` The nearest is ${nearest}.` : ''} Use the model's safetensors and tokenizer.json instead.`,
    });
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: !cut.split };
  const steps: unknown[] = [];
  if (cut.digits) steps.push({ type: 'Digits', individual_digits: true });
  if (cut.split) steps.push({ type: 'Split', pattern: { Regex: cut.split }, behavior: 'Isolated', invert: false });
  return {
    pre_tokenizer: steps.length === 0 ? byteLevel : { type: 'Sequence', pretokenizers: [...steps, byteLevel] },
    ignore_merges: cut.whole ?? false,
  };
}

/** The name that llama.cpp needs for a `tokenizer.json`; undefined when it cuts in a way that none of the names means. */
export function preTokenizerName(definition: { readonly pre_tokenizer?: unknown }): string | undefined {
  const steps = flatten(definition.pre_tokenizer);
  const split = steps.find((step) => step.type === 'Split')?.pattern?.Regex;
  const digits = steps.some((step) => step.type === 'Digits' && step.individual_digits === true);
  if (!steps.some((step) => step.type === 'ByteLevel')) return undefined;
  if (split === undefined) return digits ? 'smollm' : 'gpt-2';
  return Object.keys(cuts).find((name) => cuts[name]?.split === split);
}

interface Step {
  readonly type?: string;
  readonly individual_digits?: boolean;
  readonly pattern?: { readonly Regex?: string };
}

function flatten(value: unknown): Step[] {
  if (typeof value !== 'object' || value === null) return [];
  const { pretokenizers } = value as { pretokenizers?: unknown[] };
  return pretokenizers ? pretokenizers.flatMap(flatten) : [value as Step];
}

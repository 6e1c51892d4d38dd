import type { Issue } from '../core/issue.ts';
import { type EncodedSample, type EncodeRequest, encodePrompt, encodeSample } from './encode-sample.ts';

/**
 * The gate before training, on one of the user's own rows; what it returns is what is wrong:
 * (a) `prompt-differs`: prompt + completion is not the whole, in ids, for a learned turn;
 * (b) `stop-not-learned`: an answer that does not end in a token generation stops at;
 * (c) `seam-cut` (a warning): the tokenizer alone would have merged prompt and answer;
 * (d) `decode-differs`: the ids do not say the text;
 * (e) `learned-elsewhere`: a learned token that another message or a variable gave;
 * (f) `no-supervision`: no token is learned.
 */
export function checkConformance(request: EncodeRequest): readonly Issue[] {
  const encoded = encodeSample(request);
  if (!encoded.ok) return encoded.issues;
  const { value } = encoded;
  const issues = [
    ...promptIssues(request, value),
    ...stopIssues(value),
    ...seamIssues(value),
    ...decodeIssues(request, value),
    ...(request.learn === 'all' ? [] : originIssues(value)),
  ];
  if (value.learnedTokens === 0)
    issues.push({
      code: 'no-supervision',
      severity: 'error',
      path: [],
      message: 'no token of this row is learned',
      fix: 'Give it an assistant message, or change render.learn.',
    });
  return issues;
}

function promptIssues(request: EncodeRequest, value: EncodedSample): Issue[] {
  const issues: Issue[] = [];
  for (const turn of value.turns) {
    if (request.messages[turn.message]?.role !== 'assistant') continue;
    const path = ['messages', turn.message];
    if (!turn.promptMatches) {
      const fix = 'Training would see another prompt than serving: choose a template with a generation prompt.';
      const message =
        turn.prompt === undefined
          ? 'the template refuses the prompt of this turn'
          : textDifference(turn.prompt, value.text);
      issues.push({ code: 'prompt-differs', severity: 'error', path, message, fix });
      continue;
    }
    const prompt = encodePrompt({
      ...request,
      messages: request.messages.slice(0, turn.message),
      addGenerationPrompt: true,
    });
    const different = firstDifference(prompt.ids, value.ids.subarray(0, turn.firstToken));
    if (different < 0) continue;
    issues.push({
      code: 'prompt-differs',
      severity: 'error',
      path,
      message: `token ${different} of the prompt is ${shown(request, prompt.ids[different])} when served and ${shown(request, value.ids[different])} when trained`,
      fix: 'The tokenizer joins earlier turns differently once they are text: learn the last turn only (render.learn: last).',
    });
  }
  return issues;
}

function textDifference(prompt: string, text: string): string {
  let at = 0;
  while (at < prompt.length && prompt[at] === text[at]) at++;
  const window = (whole: string): string => JSON.stringify(whole.slice(Math.max(0, at - 12), at + 20));
  return at === prompt.length
    ? 'the template writes the header of this turn itself and offers no generation prompt'
    : `at character ${at} the prompt has ${window(prompt)} where the whole conversation has ${window(text)}`;
}

function firstDifference(left: Uint32Array, right: Uint32Array): number {
  const length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) if (left[i] !== right[i]) return i;
  return -1;
}

function shown({ tokenizer }: EncodeRequest, id: number | undefined): string {
  return id === undefined ? 'nothing' : `${id} (${JSON.stringify(tokenizer.tokenOf(id) ?? '?')})`;
}

function stopIssues({ turns }: EncodedSample): Issue[] {
  return turns
    .filter((turn) => !turn.stopLearned)
    .map((turn) => ({
      code: 'stop-not-learned',
      severity: 'error',
      path: ['messages', turn.message],
      message: 'no token that generation stops at follows this answer, so the model would not learn to stop',
      fix: "Check the model's eos_token_id, or choose a template that ends a turn with it.",
    }));
}

function seamIssues({ cutSeams, text }: EncodedSample): Issue[] {
  return cutSeams.map((seam) => ({
    code: 'seam-cut',
    severity: 'warning',
    path: [],
    message: `prompt and answer meet at ${JSON.stringify(text.slice(Math.max(0, seam - 12), seam))} | ${JSON.stringify(text.slice(seam, seam + 12))}, where the tokenizer would merge them; they were encoded apart`,
  }));
}

function decodeIssues({ tokenizer }: EncodeRequest, { ids, text, offsets }: EncodedSample): Issue[] {
  const decoded = tokenizer.decode(ids);
  if (decoded === text || withoutAddedSpaces(tokenizer, decoded) === withoutAddedSpaces(tokenizer, text)) return [];
  let at = 0;
  while (at < text.length && decoded[at] === text[at]) at++;
  const token = offsets.findIndex((offset, index) => index % 2 === 1 && offset > at);
  return [
    {
      code: 'decode-differs',
      severity: 'error',
      path: [],
      message: `around token ${(token - 1) / 2} the ids say ${JSON.stringify(decoded.slice(at, at + 24))} where the text has ${JSON.stringify(text.slice(at, at + 24))}`,
      fix: 'The tokenizer changes this text (normalisation, unknown characters): clean it before training.',
    },
  ];
}

/** Some decoders put a space behind a special token, or drop the first one; that is theirs, not the ids'. */
function withoutAddedSpaces({ addedTokens }: EncodeRequest['tokenizer'], text: string): string {
  let result = text.trimStart();
  for (const [token, { special }] of addedTokens)
    if (special && result.includes(token))
      result = result
        .split(token)
        .map((part) => part.trim())
        .join(token);
  return result;
}

function originIssues({ spans, weights, offsets, turns }: EncodedSample): Issue[] {
  const learned = new Set(turns.map((turn) => turn.message));
  let span = 0;
  for (let i = 0; i < weights.length; i++) {
    if ((weights[i] ?? 0) === 0) continue;
    const start = offsets[i * 2] ?? 0;
    while (span + 1 < spans.length && (spans[span]?.end ?? 0) <= start) span++;
    const source = spans[span]?.source;
    if (!source || source.kind === 'template' || (source.kind === 'message' && learned.has(source.index))) continue;
    const whose = source.kind === 'message' ? `message ${source.index}` : `the variable ${source.name}`;
    return [
      {
        code: 'learned-elsewhere',
        severity: 'error',
        path: source.kind === 'message' ? ['messages', source.index] : [source.name],
        message: `token ${i} is learned and came from ${whose}`,
        fix: 'The template writes this into the answer; report the template.',
      },
    ];
  }
  return [];
}

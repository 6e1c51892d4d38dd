import type { Mention, NameMention } from './mentions.ts';

/** A mention with the rest of its sentence, masked as `Cue` describes. */
export interface MentionContext<M extends Mention = Mention> {
  readonly mention: M;
  readonly text: string;
  readonly before: string;
  readonly after: string;
  /** The names in the sentence, in order. */
  readonly names: readonly NameMention[];
  readonly answer: string;
}

/** How far a cue may stand from its figure, in UTF-16 units: a long sentence costs no more than a short one. */
const reach = 200;

const boundary =
  /(?<!\b(?:Inc|Corp|Co|Ltd|vs|No|Mr|Ms|St|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|U\.S|a\.m|p\.m))[.!?]["”)]?\s+(?=["“(]?[A-Z\d$*•-])|\n+/gu;

export function contextsOf(answer: string, mentions: readonly Mention[]): MentionContext[] {
  const ends = [...answer.matchAll(boundary)].map((match) => match.index + match[0].length);
  const starts = [0, ...ends];
  return starts.flatMap((start, index) => {
    const end = starts[index + 1] ?? answer.length;
    const sentence = mentions.filter((mention) => mention.start >= start && mention.start < end);
    const names = sentence.filter((mention) => mention.type === 'name');
    return sentence.map((mention, index) => ({
      mention,
      names,
      answer,
      text: answer.slice(mention.start, mention.end),
      before: mask({
        answer,
        mentions: sentence.slice(Math.max(0, index - reach / 2), index),
        start: Math.max(start, mention.start - reach),
        end: mention.start,
      }),
      after: mask({
        answer,
        mentions: sentence.slice(index + 1, index + 1 + reach / 2),
        start: mention.end,
        end: Math.min(end, mention.end + reach),
      }),
    }));
  });
}

/** Lower case, single spaces, and a capital for every mention. */
function mask(request: {
  readonly answer: string;
  readonly mentions: readonly Mention[];
  readonly start: number;
  readonly end: number;
}): string {
  let masked = '';
  let at = request.start;
  for (const mention of request.mentions) {
    if (mention.start < request.start || mention.end > request.end) continue;
    masked += request.answer.slice(at, mention.start).toLowerCase() + letter(mention, request.answer);
    at = mention.end;
  }
  return (masked + request.answer.slice(at, request.end).toLowerCase()).replace(/[\s*_`]+/gu, ' ').replaceAll('’', "'");
}

function letter(mention: Mention, answer: string): string {
  switch (mention.type) {
    case 'number':
      return mention.percent ? 'P' : 'N';
    case 'date':
      return 'T';
    case 'name':
      return 'S';
    case 'period':
      return 'M';
    case 'superlative':
      return 'X';
    case 'extreme':
      return mention.polarity === 1 ? 'H' : 'L';
    case 'direction': {
      const plural = /(?:gain|loss|losse|fall|rise|decline|drop|advance|increase|decrease|jump|slide)s$/iu.test(
        answer.slice(mention.start, mention.end),
      );
      return `${mention.polarity === 1 ? 'U' : mention.polarity === -1 ? 'D' : 'F'}${plural ? 's' : ''}`;
    }
  }
}

const hedges: readonly { readonly words: RegExp; readonly hedge: Hedge }[] = [
  {
    words: /\b(?:more than|at least|in excess of|no less than|upwards of|just over|over|just above)\s$/u,
    hedge: 'more',
  },
  {
    words: /\b(?:less than|fewer than|at most|up to|no more than|just under|under|nearly|almost|just below)\s$/u,
    hedge: 'less',
  },
  { words: /\b(?:about|around|roughly|some|approximately|close to|close on|an estimated)\s$/u, hedge: 'about' },
  { words: /\b(?:only|just|exactly|a mere|a full|even|another)\s$/u, hedge: 'none' },
];
export type Hedge = 'none' | 'about' | 'more' | 'less';

/** Takes the hedge off the end of what stands before a figure. */
export function splitHedge(before: string): { readonly before: string; readonly hedge: Hedge } {
  for (const { words, hedge } of hedges) {
    const match = words.exec(before);
    if (match) return { before: before.slice(0, match.index), hedge };
  }
  return { before, hedge: 'none' };
}

/** `did not rise`, `no new high`, `failed to gain` */
export function isNegated(before: string): boolean {
  return /\b(?:not|never|no|without|neither|nor|cannot|failed to|stopped short of|\w+n't)(?: (?:a|any|its|the|yet|have|been|set|hit|reach|make|[a-z]+ly))* $/u.test(
    before,
  );
}

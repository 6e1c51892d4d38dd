/** Cuts text at the first stop string, however the text is chunked. */
export interface StopFilter {
  /** @returns text that is certain to stand before any stop string, and whether one was reached. */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** @returns what was held back because it might have become a stop string. */
  end(): string;
}

/** Of several stop strings the one that is complete first counts; of those complete at once, the one that began first. */
export function stopFilter(stops: readonly string[]): StopFilter {
  let held = '';
  return {
    push(text) {
      held += text;
      const cut = firstStop(held, stops);
      const end = cut ?? held.length - longestStart(held, stops);
      const given = held.slice(0, end);
      held = cut === undefined ? held.slice(end) : '';
      return { text: given, stopped: cut !== undefined };
    },
    end() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Where the stop string that is complete first begins. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let best: { start: number; end: number } | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (!best || end < best.end || (end === best.end && start < best.start)) best = { start, end };
  }
  return best?.start;
}

/** Length of the longest end of the text that some stop string starts with. */
function longestStart(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}

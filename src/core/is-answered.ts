import type { Sample } from '../schema/sample.ts';

/** Whether a row has a turn of the assistant: without one, a method that learns what is written learns nothing from it. */
export const isAnswered = ({ messages }: Pick<Sample, 'messages'>): boolean =>
  messages.some(({ role }) => role === 'assistant');

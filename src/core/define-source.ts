import type { Source } from '../spec/source.ts';

/**
 * Gives a source its type.
 * @example
 * export default defineSource({
 *   name: 'tickets',
 *   async *open({ options, signal }) {
 *     for await (const ticket of readTickets(options.queue, signal)) yield { instruction: ticket.ask, output: ticket.reply };
 *   },
 * });
 */
export const defineSource = (source: Source): Source => source;

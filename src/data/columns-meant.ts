import type { JsonObject } from './strict-json.ts';

/** Words that columns of questions and of answers are named with, in languages that tables are often kept in. */
const asking =
  /question|quest|ask|prompt|instruction|query|problem|frage|anfrage|pregunta|domanda|pergunta|vraag|fråga|pytanie|вопрос|问题|問題|提问|質問|질문/i;
const answering =
  /answer|reply|response|completion|solution|output|antwort|lösung|réponse|reponse|respuesta|risposta|resposta|antwoord|svar|odpowied|ответ|回答|答案|回复|답변/i;

/** Characters from which on a column seems to hold sentences, and no names, dates or numbers. */
const sentenceLength = 12;

/** Collects what columns hold that fit no form, to propose what they may be read as. */
export function columnsMeant() {
  const lengths = new Map<string, { characters: number; rows: number }>();
  return {
    saw(row: JsonObject): void {
      for (const [column, value] of Object.entries(row)) {
        if (typeof value !== 'string' || value.trim() === '') continue;
        const length = lengths.get(column) ?? { characters: 0, rows: 0 };
        lengths.set(column, { characters: length.characters + value.length, rows: length.rows + 1 });
      }
    },
    /** The `columns` of a recipe, by names and then by the longest texts; where neither tells, one to be filled in. */
    proposal(): string {
      const texts = [...lengths.keys()];
      const mean = (column: string): number => {
        const { characters = 0, rows = 1 } = lengths.get(column) ?? {};
        return characters / rows;
      };
      const longest = texts.filter((column) => mean(column) >= sentenceLength).sort((a, b) => mean(b) - mean(a));
      const other = (taken: string | undefined) => longest.find((column) => column !== taken);
      const asks = texts.find((column) => asking.test(column));
      const answers = texts.find((column) => answering.test(column) && column !== asks);
      const [first, second] =
        asks !== undefined || answers !== undefined
          ? [asks ?? other(answers), answers ?? other(asks)]
          : longest.slice(0, 2).sort((a, b) => texts.indexOf(a) - texts.indexOf(b));
      if (first !== undefined && second !== undefined) return columnsText({ [first]: 'query', [second]: 'response' });
      const [only] = longest;
      return only === undefined
        ? '{ <the column that asks>: query, <the column that answers>: response }'
        : columnsText({ [only]: 'text' });
    },
  };
}

/** As a recipe writes it, and as YAML reads it back. */
export const columnsText = (columns: Readonly<Record<string, string>>): string =>
  `{ ${Object.entries(columns)
    .map(([theirs, ours]) => `${isPlainKey(theirs) ? theirs : JSON.stringify(theirs)}: ${ours}`)
    .join(', ')} }`;

const isPlainKey = (name: string): boolean =>
  /^[\p{L}_][\p{L}\p{N}_ .()/?!-]*$/u.test(name) &&
  !/[ ]$/.test(name) &&
  !/^(?:true|false|null|yes|no|on|off|~)$/i.test(name);

/** What `serve`, `infer` and `chat` take for what is not said. Here so that reading a flag loads no engine. */
export const servingDefaults = {
  host: '127.0.0.1',
  port: 8000,
  /** Of a request that names none, as OpenAI has it. */
  temperature: 1,
  /** Answers of one model at a time. */
  slots: 4,
  /** Most tokens of prompt and answer. */
  maxLength: 2048,
  /** Requests of one model that may wait for a slot; more are turned away with 429. */
  maxWaiting: 64,
  /** How long running answers may take to end when the server closes; then they are broken off. */
  drainMs: 30_000,
} as const;

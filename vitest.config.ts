import { defineConfig } from 'vitest/config';

// `unit` lies beside the code and must stay within a minute; `e2e` and `invariants` drive whole commands and real weights.
export default defineConfig({
  test: {
    pool: 'forks',
    isolate: false,
    // Left to itself it leaves one core to the terminal: half of what two cores do.
    maxWorkers: '100%',
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'recipes/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'whole',
          // After the unit tests: they have the machine to themselves.
          sequence: { groupOrder: 1 },
          include: ['tests/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'soak',
          sequence: { groupOrder: 2 },
          include: ['{src,tests}/**/*.soak.ts'],
          testTimeout: 0,
          hookTimeout: 0,
          fileParallelism: false,
        },
      },
    ],
  },
});

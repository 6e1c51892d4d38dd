import { parentPort, workerData } from 'node:worker_threads';
import { type Job, openWork, type WorkSettings } from './work.ts';

// The thread of one worker: jobs come in, results go out, one at a time.
const work = openWork(workerData as WorkSettings);
const port = parentPort;
port?.on('message', async (job: Job) => {
  try {
    port.postMessage({ result: await (await work)(job) });
  } catch (error) {
    port.postMessage({ error });
  }
});
// A step that cannot be opened is told of with the first job.
work.catch(() => undefined);

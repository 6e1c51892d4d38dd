import type { AddressInfo } from 'node:net';
import { MartletError } from '../core/error.ts';
import { servingDefaults } from '../core/serving-defaults.ts';
import type { Artefact } from '../store/store.ts';
import { type OpenBackendOptions, openBackend } from './open-backend.ts';

export interface ServingOptions extends OpenBackendOptions {
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** Demanded of every request; wanted when others than this machine can reach the server. */
  readonly apiKey: string | null;
  /** Requests of one model that may wait for a slot; more are turned away with 429. */
  readonly maxWaiting: number;
  /** How long running answers may take to end when the server closes; then they are broken off. */
  readonly drainMs: number;
}

export interface Serving {
  /** Without the `/v1`. */
  readonly url: string;
  readonly deployment: Artefact;
  /** Names that requests may use. */
  readonly models: readonly string[];
  /** Takes no more requests, lets the running ones end (within `drainMs`), and stops the engine. */
  close(): Promise<void>;
}

/**
 * Serves models over OpenAI's API, each answer on record.
 * @throws MartletError `api-key-missing`, `port-taken`, and those of `openBackend`
 */
export async function startServing(
  options: Omit<ServingOptions, keyof typeof servingDefaults | 'apiKey'> & Partial<ServingOptions>,
): Promise<Serving> {
  const settings: ServingOptions = { ...servingDefaults, apiKey: null, ...options };
  const { host, port, apiKey, slots, maxWaiting, drainMs, log } = settings;
  if (!isLoopback(host) && !apiKey)
    throw new MartletError('api-key-missing', `${host} can be reached from other machines, and there is no API key`, {
      hint: 'Give one with --api-key or MARTLET_API_KEY, or leave out --host.',
    });
  const backend = await openBackend(settings);
  try {
    // Only a server needs them.
    const [{ createGateway }, { createAdaptorServer }] = await Promise.all([
      import('./gateway.ts'),
      import('@hono/node-server'),
    ]);
    const hostNames = isLoopback(host) ? ['localhost', '127.0.0.1', '[::1]', host] : null;
    const gateway = createGateway({ backend, apiKey, hostNames, slots, maxWaiting, log });
    const server = createAdaptorServer({ fetch: gateway.app.fetch });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(cause, { host, port })));
      server.listen(port, host, resolve);
    });
    const bound = (server.address() as AddressInfo).port;
    return {
      url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
      deployment: backend.artefact,
      models: backend.models.map(({ entry }) => entry.name),
      async close() {
        const closed = new Promise((resolve) => server.close(resolve));
        const limits = [
          setTimeout(() => gateway.abort(), drainMs),
          // A client that has stopped reading hears of no end: its connection is cut.
          setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), drainMs + 1000),
        ];
        await gateway.drain();
        for (const limit of limits) clearTimeout(limit);
        // Connections that are kept open for a next request would hold the server up.
        if ('closeIdleConnections' in server) server.closeIdleConnections();
        await closed;
        await backend[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await backend[Symbol.asyncDispose]();
    throw error;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function listenError(cause: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): MartletError {
  if (cause.code === 'EADDRINUSE')
    return new MartletError('port-taken', `port ${port} of ${host} is in use`, {
      hint: 'Choose another with --port; --port 0 takes any that is free.',
      cause,
    });
  return new MartletError('cannot-listen', `cannot listen on ${host}:${port}: ${cause.message}`, { cause });
}

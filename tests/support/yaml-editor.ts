import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Counted from 0, as the protocol does. */
export interface TextPlace {
  readonly line: number;
  readonly character: number;
}

export interface Diagnostic {
  readonly message: string;
  readonly range: { readonly start: TextPlace };
}

export interface Completion {
  readonly label: string;
  readonly documentation?: string | { readonly value: string };
}

/** What an editor sees of one document. */
export interface OpenDocument {
  diagnostics(): Promise<readonly Diagnostic[]>;
  completions(place: TextPlace): Promise<readonly Completion[]>;
  hover(place: TextPlace): Promise<string>;
}

export interface YamlEditor extends AsyncDisposable {
  open(request: { readonly file: string; readonly text: string }): OpenDocument;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/** The language server that VS Code's YAML extension runs, spoken to as an editor does (Language Server Protocol). */
export async function openYamlEditor(): Promise<YamlEditor> {
  const main = createRequire(import.meta.url).resolve('yaml-language-server/package.json');
  const server = spawn(process.execPath, [join(dirname(main), 'bin', 'yaml-language-server'), '--stdio'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const send = (message: Message): void => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  const answers = new Map<number, (result: unknown) => void>();
  const found = new Map<string, (diagnostics: readonly Diagnostic[]) => void>();
  const receive = ({ id, method, params, result }: Message): void => {
    if (id === undefined && method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as { uri: string; diagnostics: readonly Diagnostic[] };
      found.get(uri)?.(diagnostics);
    } else if (id !== undefined && method === undefined) answers.get(id)?.(result);
    // It asks for settings that it has been given, and to be told of changes of them.
    else if (id !== undefined) send({ id, result: null });
  };
  let bytes = Buffer.alloc(0);
  server.stdout.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const end = bytes.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/i.exec(bytes.toString('latin1', 0, Math.max(end, 0)))?.[1]);
      if (end === -1 || bytes.length < end + 4 + length) return;
      receive(JSON.parse(bytes.toString('utf8', end + 4, end + 4 + length)) as Message);
      bytes = bytes.subarray(end + 4 + length);
    }
  });
  let count = 0;
  const call = <Result>(method: string, params: unknown): Promise<Result> =>
    new Promise((resolve) => {
      answers.set(++count, resolve as (result: unknown) => void);
      send({ id: count, method, params });
    });
  await call('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
  send({ method: 'initialized', params: {} });
  const yaml = { validate: true, hover: true, completion: true, schemaStore: { enable: false } };
  send({ method: 'workspace/didChangeConfiguration', params: { settings: { yaml } } });
  return {
    open({ file, text }) {
      const { href: uri } = pathToFileURL(file);
      const diagnostics = new Promise<readonly Diagnostic[]>((resolve) => found.set(uri, resolve));
      send({
        method: 'textDocument/didOpen',
        params: { textDocument: { uri, languageId: 'yaml', version: 1, text } },
      });
      const at = (position: TextPlace) => ({ textDocument: { uri }, position });
      return {
        diagnostics: () => diagnostics,
        async completions(place) {
          const result = await call<{ items: readonly Completion[] }>('textDocument/completion', at(place));
          return result.items;
        },
        async hover(place) {
          const result = await call<{ contents: { value: string } } | null>('textDocument/hover', at(place));
          return result?.contents.value ?? '';
        },
      };
    },
    async [Symbol.asyncDispose]() {
      server.kill();
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
}

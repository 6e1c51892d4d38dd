/** As much of the package as is used here; it brings no types of its own. */
declare module 'pg' {
  export class Client {
    constructor(options: {
      readonly connectionString: string;
      readonly connectionTimeoutMillis: number;
      readonly application_name: string;
    });
    connect(): Promise<unknown>;
    query(
      request: string | { readonly text: string; readonly rowMode: 'array' },
    ): Promise<{ readonly rows: unknown[] }>;
    end(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): unknown;
  }
}

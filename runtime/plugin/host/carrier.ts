/** What brings an application its requests, and takes what it forwards. Whoever composes the process gives it. */
export interface Carrier {
  /** Begins to take requests. `failed` hears what `answer` throws; the client reads only that it did. */
  serve(
    answer: (request: Request) => Response | Promise<Response>,
    failed: (error: unknown) => void,
  ): {
    /** Takes no more; resolves when those that run are answered. */
    close(): Promise<void>;
  };
  /** Sends `request` on to `backend` by the balancer. */
  forward(backend: string, request: Request): Promise<Response>;
}

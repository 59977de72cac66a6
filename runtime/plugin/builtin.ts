/**
 * Our own notifiers, in this process: the same contract as everyone's, the same shape for who uses them. What an operator
 * writes under `with:` is what they grant: a URL, a command.
 */
import type { Context, Event, Notifier } from "../../plugins/contract.ts";
import { type JsonSchema, schemaOf } from "../../plugins/declaration.ts";
import command from "../../plugins/notify/command.ts";
import keepalived from "../../plugins/notify/keepalived.ts";
import syslog from "../../plugins/notify/syslog.ts";
import webhook from "../../plugins/notify/webhook.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Clock, sleep } from "../os/clock.ts";
import type { Capabilities } from "./broker.ts";
import { type Endpoint, type EndpointOptions, requestEndpoint } from "./endpoints.ts";
import { createFetch, createRun, createSend } from "./host/capabilities.ts";
import { runCommand, sendDatagram } from "./outward.ts";
import type { HostInfo } from "./protocol.ts";
import { type Delivery, deliveryOf, type RemoteNotifier } from "./remote.ts";
import { Broker } from "./broker.ts";
import { within } from "./deadline.ts";

const notifiers = { command, keepalived, syslog, webhook } as const;

export type BuiltInNotifier = keyof typeof notifiers;

export function isBuiltInNotifier(name: string): name is BuiltInNotifier {
  return Object.hasOwn(notifiers, name);
}

/** JSON Schema of the notifier's `with:`. */
export function builtInSchema(name: BuiltInNotifier): JsonSchema {
  return schemaOf(notifiers[name].config ?? {});
}

export interface BuiltInOptions {
  /** As the configuration says now. */
  readonly host: () => HostInfo;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where requests and datagrams never go. */
  readonly outward: EndpointOptions;
}

/** @param config checked against {@linkcode builtInSchema}, secrets resolved */
export function builtInNotifier(name: BuiltInNotifier, config: unknown, options: BuiltInOptions): RemoteNotifier {
  // The config was checked against this notifier's own schema.
  const notifier = notifiers[name] as unknown as Notifier<unknown>;
  const granted = grantedBy(config as Readonly<Record<string, unknown>>, options.outward);
  return {
    kind: "notifier",
    async notify(event: Event, deadline: number): Promise<Delivery> {
      const limit = within(options.clock, deadline);
      using broker = new Broker(granted);
      try {
        await notifier.notify(event, context(config, options, broker, limit.signal));
        return { result: "delivered" };
      } catch (error) {
        const { name = "Error", message = String(error), afterMs } = error as Partial<Error> & { afterMs?: number };
        return deliveryOf({ name, message, afterMs });
      } finally {
        limit.clear();
      }
    },
  };
}

/** Operators write what they allow where they use it. */
function grantedBy(config: Readonly<Record<string, unknown>>, outward: EndpointOptions): Capabilities {
  const { url, headers = {}, secret, server } = config;
  const signature = typeof secret === "string" ? { header: "x-tandem-signature", secret } : null;
  // An operator who names a local address in their own configuration means it.
  const webhook: Endpoint = { url: String(url), headers: headers as Record<string, string>, signature, unsafe: true };
  return {
    fetch: (request) => requestEndpoint({ webhook }, request, outward),
    send: (_endpoint, message) => sendDatagram(String(server), message, { ...outward, unsafe: true }),
    run(name, args, options, signal) {
      const argv = config[name];
      if (!Array.isArray(argv)) return Promise.reject(new Error(`Command "${name}" is not configured`));
      return runCommand([...argv.map(String), ...args], options, signal);
    },
  };
}

function context(config: unknown, options: BuiltInOptions, broker: Broker, signal: AbortSignal): Context<unknown> {
  const { host, clock, log } = options;
  const asking = {
    ask: (_call: number, ask: Parameters<Broker["answer"]>[0]) => orAborted(broker.answer(ask), signal),
  };
  return {
    config,
    host: { ...host(), api: 1 },
    signal,
    clock: { now: clock.now, monotonic: clock.monotonic, sleep: (ms) => sleep(clock, ms, signal) },
    log: { debug: log.debug, info: log.info, warn: log.warning, error: log.error },
    fetch: createFetch(asking, 0, signal),
    send: createSend(asking, 0, signal),
    run: createRun(asking, 0, signal),
  };
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

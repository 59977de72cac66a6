/**
 * Which PostgreSQL server is the primary, and how far behind are the replicas: a real login and one query, so that a server
 * that accepts connections and answers nothing is down, and a pool for writes holds the primary alone.
 */
import { type Connection, defineChecker, s, type Verdict } from "tandem/plugin";
import { checkServer, clientFinal, clientFirst, deriveKeys, type Keys, serverFirst } from "./scram.ts";
import * as wire from "./wire.ts";

/** Whether it replays, and the time since what it replayed last; none while it has replayed all it received. */
const ROLE = `SELECT pg_is_in_recovery(), CASE
  WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
  ELSE COALESCE(EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp()) * 1000, 0) END`;

const MECHANISM = "SCRAM-SHA-256";
const AUTHENTICATION_OK = 0, SASL = 10, SASL_CONTINUE = 11, SASL_FINAL = 12;

/** Keys by password, salt and iterations: a check every second must not cost 4096 hashes. */
const known = new Map<string, Promise<Keys>>();
const MOST_KNOWN = 64;

export default defineChecker({
  config: {
    role: s.oneOf(["primary", "replica", "any"], { default: "any", description: "which servers are up" }),
    user: s.string({ default: "tandem" }),
    password: s.secret({ description: "of that user, by SCRAM-SHA-256" }),
    database: s.string({ default: "postgres" }),
    maxLag: s.duration({ default: "10s", description: "a replica further behind is drained" }),
  },
  async check(_target, ctx) {
    const { role, user, password, database, maxLag } = ctx.config;
    let phase = "connect";
    try {
      await using connection = await ctx.connect();
      phase = "login";
      const session = new Session(connection);
      await session.login(user, database, password);
      phase = "query";
      const [recovering, lag] = await session.ask(ROLE);
      await connection.write(wire.terminate);
      return judge(role, recovering === "t", Number(lag), maxLag);
    } catch (error) {
      return { state: "down", reason: error instanceof Error ? error.message : String(error), phase };
    }
  },
});

/** What a server is worth to a pool that wants `role`. */
export function judge(role: "primary" | "replica" | "any", replica: boolean, lag: number, maxLag: number): Verdict {
  const reason = replica ? `replica, ${Math.round(lag)} ms behind` : "primary";
  if (replica && lag > maxLag) return { state: "drain", reason: `${reason}, at most ${maxLag} ms wanted` };
  const wanted = role === "any" || (role === "replica") === replica;
  return { state: wanted ? "up" : "standby", reason };
}

class Session {
  readonly #reader = new wire.MessageReader();
  #waiting: wire.Message[] = [];
  constructor(private readonly connection: Connection) {}

  async login(user: string, database: string, password: string): Promise<void> {
    await this.connection.write(wire.startup(user, database));
    for (;;) {
      const { code, text } = wire.authentication((await this.#expect("R")).body);
      if (code === AUTHENTICATION_OK) break;
      if (code !== SASL || !text.split("\0").includes(MECHANISM)) {
        throw new Error(`server asks for authentication ${code}, only ${MECHANISM} is offered`);
      }
      await this.#scram(password);
    }
    await this.#expect("Z");
  }

  /** The only row of `sql`. */
  async ask(sql: string): Promise<(string | null)[]> {
    await this.connection.write(wire.query(sql));
    const columns = wire.row((await this.#expect("D")).body);
    await this.#expect("Z");
    return columns;
  }

  async #scram(password: string): Promise<void> {
    const nonce = crypto.getRandomValues(new Uint8Array(18)).toBase64();
    const first = clientFirst(nonce);
    await this.connection.write(wire.saslInitial(MECHANISM, first));
    const challenge = await this.#sasl(SASL_CONTINUE);
    const { nonce: both, salt, iterations } = serverFirst(challenge, nonce);
    const keys = await keysOf(password, salt, iterations);
    const { message, signature } = await clientFinal(keys, first, challenge, both);
    await this.connection.write(wire.saslResponse(message));
    checkServer(await this.#sasl(SASL_FINAL), signature);
  }

  async #sasl(wanted: number): Promise<string> {
    const { code, text } = wire.authentication((await this.#expect("R")).body);
    if (code !== wanted) throw new Error(`server sent authentication ${code} in the middle of ${MECHANISM}`);
    return text;
  }

  /** The next message of that type; what only informs is passed over. */
  async #expect(type: string): Promise<wire.Message> {
    for (;;) {
      const message = await this.#next();
      if (message.type === type) return message;
      if (message.type === "E") throw new Error(wire.errorText(message.body));
      if (type === "D" && message.type === "Z") throw new Error("the query answered no row");
    }
  }

  async #next(): Promise<wire.Message> {
    while (this.#waiting.length === 0) {
      const bytes = await this.connection.read();
      if (bytes === null) throw new Error("server closed the connection");
      this.#waiting = this.#reader.push(bytes);
    }
    return this.#waiting.shift()!;
  }
}

function keysOf(password: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<Keys> {
  const name = JSON.stringify([password, salt.toBase64(), iterations]);
  const found = known.get(name) ?? deriveKeys(password, salt, iterations);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, found);
  return found;
}

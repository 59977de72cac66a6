/** SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677): proves that both sides know the password, and sends it never. */

export interface Keys {
  readonly client: Uint8Array<ArrayBuffer>;
  readonly stored: Uint8Array<ArrayBuffer>;
  readonly server: Uint8Array<ArrayBuffer>;
}

const MOST_ITERATIONS = 1_000_000;
const NO_CHANNEL_BINDING = "n,,";
const encoder = new TextEncoder();

/** client-first-message. PostgreSQL takes the user's name from the start-up message and ignores the one here. */
export function clientFirst(nonce: string, user = ""): string {
  const name = user.replaceAll("=", "=3D").replaceAll(",", "=2C");
  return `${NO_CHANNEL_BINDING}n=${name},r=${nonce}`;
}

/** What server-first-message says. @throws {Error} when it is not an answer to our nonce */
export function serverFirst(message: string, nonce: string): {
  readonly nonce: string;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly iterations: number;
} {
  const { r, s, i } = attributes(message);
  const iterations = Number(i);
  if (!r?.startsWith(nonce) || r.length === nonce.length) throw new Error("server answered with another nonce");
  if (!s || !Number.isInteger(iterations) || iterations < 1 || iterations > MOST_ITERATIONS) {
    throw new Error("server sent no salt or no sensible number of iterations");
  }
  return { nonce: r, salt: Uint8Array.fromBase64(s), iterations };
}

/** Keys of a password: 4096 rounds and more, so worth keeping. */
export async function deriveKeys(password: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<Keys> {
  // SASLprep as far as Unicode's own normalisation goes.
  const material = await crypto.subtle.importKey("raw", encoder.encode(password.normalize("NFKC")), "PBKDF2", false, [
    "deriveBits",
  ]);
  const salted = new Uint8Array(
    await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, material, 256),
  );
  const client = await hmac(salted, "Client Key");
  const stored = new Uint8Array(await crypto.subtle.digest("SHA-256", client));
  return { client, stored, server: await hmac(salted, "Server Key") };
}

/** client-final-message, and the signature by which the server proves itself. */
export async function clientFinal(
  keys: Keys,
  first: string,
  server: string,
  nonce: string,
): Promise<{ readonly message: string; readonly signature: string }> {
  const withoutProof = `c=${btoa(NO_CHANNEL_BINDING)},r=${nonce}`;
  const exchange = `${first.slice(NO_CHANNEL_BINDING.length)},${server},${withoutProof}`;
  const signature = await hmac(keys.stored, exchange);
  const proof = keys.client.map((byte, index) => byte ^ signature[index]);
  return {
    message: `${withoutProof},p=${proof.toBase64()}`,
    signature: (await hmac(keys.server, exchange)).toBase64(),
  };
}

/** @throws {Error} when the server does not know the password either */
export function checkServer(message: string, signature: string): void {
  const { v, e } = attributes(message);
  if (e) throw new Error(`server refused: ${e}`);
  if (v !== signature) throw new Error("server could not prove that it knows the password");
}

function attributes(message: string): Partial<Record<string, string>> {
  return Object.fromEntries(message.split(",").map((part) => [part[0], part.slice(2)]));
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}

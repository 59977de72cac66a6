/** What follows the address of `bind` and of `server` (HAProxy's configuration manual, 5.1 and 5.2): which words take a value. */

/** By name, in the order in which they stand; "" for those without a value. */
export type Parameters = ReadonlyMap<string, string>;

/** Of a server; up to 2.6, then what later versions added. */
const SERVER: ReadonlySet<string> = new Set([
  ..."addr agent-addr agent-inter agent-port agent-send alpn ca-file check-alpn check-proto check-sni ciphers".split(
    " ",
  ),
  ..."ciphersuites cookie crl-file crt downinter error-limit fall fastinter id init-addr inter log-proto".split(" "),
  ..."max-reuse maxconn maxqueue minconn namespace npn observe on-error on-marked-down on-marked-up".split(" "),
  ..."pool-low-conn pool-max-conn pool-purge-delay port proto proxy-v2-options redir resolve-net resolve-opts".split(
    " ",
  ),
  ..."resolve-prefer resolvers rise slowstart sni socks4 source ssl-max-ver ssl-min-ver tcp-ut track".split(" "),
  ..."verify verifyhost weight ws".split(" "),
  // Both follow the address of `source`.
  ..."usesrc interface".split(" "),
  ..."cc check-pool-conn-name client-sigalgs curves guid hash-key idle-ping init-state log-bufsize".split(" "),
  ..."pool-conn-name set-proxy-v2-tlv-fmt shard sigalgs".split(" "),
]);

const BIND: ReadonlySet<string> = new Set([
  ..."accept-netscaler-cip alpn backlog ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file".split(" "),
  ..."ciphers ciphersuites crl-file crt crt-ignore-err crt-list curves ecdhe expose-fd gid group id".split(" "),
  ..."interface level maxconn mode mss name namespace nice npn process proto quic-cc-algo".split(" "),
  ..."severity-output shards ssl-max-ver ssl-min-ver tcp-ut thread tls-ticket-keys uid user verify".split(" "),
  ..."cc client-sigalgs default-crt guid-prefix idle-ping label ocsp-update quic-socket sigalgs".split(" "),
]);

/** Later words overrule earlier ones: `no-check` takes back what default-server said. */
export function serverParameters(words: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const [word] = words[i].split("(");
    const opposite = word === "enabled" ? "disabled" : word === "stick" ? "non-stick" : /^no-(.+)$/.exec(word)?.[1];
    if (opposite !== undefined) parameters.delete(opposite);
    else parameters.set(words[i], SERVER.has(word) ? words[++i] ?? "" : "");
  }
  return parameters;
}

export function bindParameters(words: readonly string[]): Parameters {
  const parameters = new Map<string, string>();
  for (let i = 0; i < words.length; i++) parameters.set(words[i], BIND.has(words[i]) ? words[++i] ?? "" : "");
  return parameters;
}

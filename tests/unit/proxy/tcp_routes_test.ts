/** Routes in `mode: tcp`: names exact and below a wildcard, networks, the order they are written in. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { TcpRoutes } from "../../../runtime/proxy/tcp_routes.ts";

const office = ["10.0.0.0/8", "2001:db8::/32"];
const routes = new TcpRoutes([
  { names: ["db.example"], clients: office, backend: "db-office" },
  { names: ["db.example"], clients: [], backend: "db" },
  { names: ["*.shop.example"], clients: [], backend: "shops" },
  { names: ["a.shop.example", "b.shop.example"], clients: [], backend: "never" },
  { names: [], clients: ["192.0.2.0/24"], backend: "guests" },
]);

Deno.test("TcpRoutes.find() takes the first route whose name and network fit", () => {
  const rows: readonly [string | null, string, string | null][] = [
    ["db.example", "10.1.2.3", "db-office"],
    ["db.example", "2001:db8::7", "db-office"],
    ["db.example", "11.1.2.3", "db"],
    ["a.shop.example", "10.1.2.3", "shops"],
    ["x.y.shop.example", "10.1.2.3", "shops"],
    ["shop.example", "10.1.2.3", null],
    ["eshop.example", "10.1.2.3", null],
    ["other.example", "192.0.2.9", "guests"],
    [null, "192.0.2.9", "guests"],
    [null, "10.1.2.3", null],
    ["", "10.1.2.3", null],
  ];
  for (const [name, client, backend] of rows) {
    assert.equal(routes.find(name, parseAddress(client)), backend, `${name} from ${client}`);
  }
  assert.equal(routes.find("db.example", null), "db", "a client without an address is in no network");
});

Deno.test("TcpRoutes waits for a ClientHello only where a name is asked for", () => {
  assert.equal(routes.byName, true);
  assert.equal(new TcpRoutes([{ names: [], clients: office, backend: "db" }]).byName, false);
});

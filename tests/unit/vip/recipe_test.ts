import { deepEqual, equal } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { decodeMessages, MessageWriter, viewOf } from "../../../runtime/os/netlink.ts";
import type { NetlinkSocket } from "../../../runtime/os/netlink_socket.ts";
import { Batch } from "../../../runtime/os/nfnetlink.ts";
import { describe, tableOf } from "../../../runtime/vip/recipe.ts";

/** What `nft -f` sent for the recipe, captured by strace. */
const captured = Uint8Array.fromHex(
  (await Deno.readTextFile(new URL("./fixtures/recipe.hex", import.meta.url))).replaceAll("\n", ""),
);

type Tree = readonly (readonly [type: number, value: string | Tree])[];

const nested = 0x8000;
/** NFTA_SET_USERDATA: hints for printing that `nft` leaves for itself. */
const setUserData = 13;
/** NFTA_SET_ELEM_LIST_SET_ID: the name says the same. */
const setId = 4;
const newSet = 0x0a09;
const newElements = 0x0a0c;

function tree(bytes: Uint8Array<ArrayBuffer>): Tree {
  const attributes: [number, string | Tree][] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = viewOf(bytes).getUint16(at, true);
    const type = viewOf(bytes).getUint16(at + 2, true);
    const value = bytes.subarray(at + 4, at + length);
    attributes.push([type & ~nested, type & nested ? tree(value) : value.toHex()]);
    at += length + 3 & ~3;
  }
  return attributes;
}

function messages(datagram: Uint8Array<ArrayBuffer>) {
  return decodeMessages(datagram).map(({ type, body }) => ({
    type: type.toString(16),
    header: body.subarray(0, 4).toHex(),
    attributes: tree(body.subarray(4))
      .filter(([attribute]) => type !== newSet || attribute !== setUserData)
      .filter(([attribute]) => type !== newElements || attribute !== setId)
      .map(([attribute, value]) =>
        type === newElements && typeof value !== "string" ? unnumbered(value) : [attribute, value]
      ),
  }));
}

/** `nft` counts the elements of a list where the kernel wants the same type for each, and takes any. */
function unnumbered(list: Tree): Tree {
  return list.map(([, element]) => [1, element]);
}

Deno.test("describe() is what nft sends for the recipe", () => {
  const writer = new MessageWriter();
  let sent: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  const socket = {
    begin: (type: number, flags: number) => writer.begin(type, flags),
    request: () => sent = writer.written.slice(),
  } as unknown as NetlinkSocket;
  describe(new Batch(socket), "tandem-VI_1", {
    addresses: [parseAddress("192.168.219.100")],
    ports: [80, 443],
    peer: parseAddress("192.168.219.134"),
    peerMac: Uint8Array.fromHex("020000000001"),
    device: 1,
    remember: 3600_000,
  }, "shared").commit("");
  // The connections that were ours are loaded in batches of their own.
  const elementsOfOwn = 7;
  deepEqual(messages(sent), messages(captured).filter((_, at) => at !== elementsOfOwn));
});

Deno.test("tableOf() keeps to what nft can print as a name", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["VI_1", "tandem-VI_1"],
    ["edge.web-2", "tandem-edge.web-2"],
    ["Größe 1", "tandem-Gr__e_1"],
  ];
  for (const [instance, table] of rows) equal(tableOf(instance), table);
});

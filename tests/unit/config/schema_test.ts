import assert from "node:assert/strict";
import { jsonSchema } from "../../../runtime/config/schema.ts";

type Schema = Readonly<Record<string, unknown>> & { readonly properties: Readonly<Record<string, Schema>> };

Deno.test("jsonSchema() is plain JSON that knows the keys, their types and what is not in this version", () => {
  const schema = JSON.parse(JSON.stringify(jsonSchema())) as Schema;
  assert.deepEqual(schema.required, ["version"]);
  assert.deepEqual(schema.properties.version, { enum: [1] });
  const instance = schema.properties.vrrp.additionalProperties as Schema;
  assert.deepEqual(instance.properties.virtual_router_id, { type: "integer", minimum: 1, maximum: 255 });
  assert.deepEqual(instance.properties.version, { enum: [2, 3], default: 3 });
  assert.equal(instance.properties.advert_int.default, undefined);
  assert.match(String(instance.properties.sync_group.description), /not in this version/);
  const node = schema.properties.nodes.additionalProperties as Schema;
  assert.deepEqual(node.properties.vrrp, { $ref: "#/properties/vrrp" });
  assert.deepEqual((schema.properties.defaults.properties.backends as Schema).required, []);
});

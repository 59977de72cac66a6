/** Plugins as configurations in tests name them: by source, without any file. */
import type { PluginKnowledge } from "../../../runtime/config/plugin_facts.ts";
import { builtInSchema } from "../../../runtime/plugin/builtin.ts";
import { effectiveGrants } from "../../../runtime/plugin/grants.ts";
import { decodeManifest, type Manifest } from "../../../runtime/plugin/manifest.ts";
import { checkOptions } from "../../../runtime/plugin/options.ts";

const examples = new URL("../../../plugins/examples/", import.meta.url);
const sources: Readonly<Record<string, string>> = {
  "./pg-role": "pg_role",
  "./zones": "zone_latency",
  "./pager": "pager",
  "./door": "front_door",
};

function manifest(directory: string): Manifest {
  const { manifest, problems } = decodeManifest(Deno.readTextFileSync(new URL(`${directory}/plugin.yaml`, examples)));
  if (manifest === null) throw new Error(problems.map(({ message }) => message).join("; "));
  return manifest;
}

/** The examples that come with Tandem; "pg-role" may be locked. */
export function knownPlugins(locked: string | null = null): PluginKnowledge {
  return {
    source(source) {
      if (!Object.hasOwn(sources, source)) return { problems: [`${source}: has no plugin.yaml`] };
      const { name, version, kind, limits, config, requests } = manifest(sources[source]);
      return {
        plugin: name,
        version,
        kind,
        sha256: "aa",
        limits,
        schema: config,
        missing: (granted) =>
          effectiveGrants("x", requests, granted).missing.map((line) => line.replace(/^[^:]*: /, "")),
      };
    },
    locked: (name) => name === "pg-role" ? locked : null,
    notifiers: {
      webhook: builtInSchema("webhook"),
      command: builtInSchema("command"),
      keepalived: builtInSchema("keepalived"),
    },
    check: (schema, value) => checkOptions(schema, value).problems,
    appProblem: (path) => path === "./gone.ts" ? `"/etc/tandem/gone.ts" does not exist` : null,
  };
}

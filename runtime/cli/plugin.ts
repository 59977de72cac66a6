/** `plugin …`: for authors and operators of plugins. */
export { pluginCommand as run } from "../plugin/cli.ts";

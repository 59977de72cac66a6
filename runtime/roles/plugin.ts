/** The two roles of a plugin's process, where one program holds all: `role plugin` confines itself and becomes `role plugin-host`. */
export { runPluginStage } from "../plugin/first_stage.ts";
export { runHost } from "../plugin/host/main.ts";

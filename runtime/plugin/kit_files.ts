/**
 * The text of every module that the process of a plugin runs before plugin code: stage 1, the host, and the SDK. Imported as
 * text, so that a bundle carries them and a machine needs no sources.
 */
import answers from "../../plugins/answers.ts" with { type: "text" };
import capabilityRules from "../../plugins/capability_rules.ts" with { type: "text" };
import contract from "../../plugins/contract.ts" with { type: "text" };
import declaration from "../../plugins/declaration.ts" with { type: "text" };
import plainLine from "../../plugins/plain_line.ts" with { type: "text" };
import planBounds from "../../plugins/plan_bounds.ts" with { type: "text" };
import scriptedServer from "../../plugins/scripted_server.ts" with { type: "text" };
import testing from "../../plugins/testing.ts" with { type: "text" };
import virtualTime from "../../plugins/virtual_time.ts" with { type: "text" };
import address from "../bytes/address.ts" with { type: "text" };
import confine from "../os/confine.ts" with { type: "text" };
import confineCalls from "../os/confine_calls.ts" with { type: "text" };
import confineExec from "../os/confine_exec.ts" with { type: "text" };
import credentials from "../os/credentials.ts" with { type: "text" };
import errno from "../os/errno.ts" with { type: "text" };
import landlock from "../os/landlock.ts" with { type: "text" };
import libc from "../os/libc.ts" with { type: "text" };
import seccomp from "../os/seccomp.ts" with { type: "text" };
import socketOptions from "../os/socket_options.ts" with { type: "text" };
import tcpSocket from "../os/tcp_socket.ts" with { type: "text" };
import unixListener from "../os/unix_listener.ts" with { type: "text" };
import frame from "./frame.ts" with { type: "text" };
import protocol from "./protocol.ts" with { type: "text" };
import stage from "./stage.ts" with { type: "text" };
import asking from "./host/asking.ts" with { type: "text" };
import authored from "./host/authored.ts" with { type: "text" };
import capabilities from "./host/capabilities.ts" with { type: "text" };
import context from "./host/context.ts" with { type: "text" };
import hostEntry from "./host/entry.ts" with { type: "text" };
import host from "./host/host.ts" with { type: "text" };
import main from "./host/main.ts" with { type: "text" };
import pipe from "./host/pipe.ts" with { type: "text" };
import service from "./host/service.ts" with { type: "text" };
import firstStage from "./first_stage.ts" with { type: "text" };
import firstStageEntry from "./first_stage_entry.ts" with { type: "text" };

/** By path from the top of the sources, as they import each other. */
export const KIT_FILES: Readonly<Record<string, string>> = {
  "plugins/answers.ts": answers,
  "plugins/capability_rules.ts": capabilityRules,
  "plugins/contract.ts": contract,
  "plugins/declaration.ts": declaration,
  "plugins/plain_line.ts": plainLine,
  "plugins/plan_bounds.ts": planBounds,
  "plugins/scripted_server.ts": scriptedServer,
  "plugins/testing.ts": testing,
  "plugins/virtual_time.ts": virtualTime,
  "runtime/bytes/address.ts": address,
  "runtime/os/confine.ts": confine,
  "runtime/os/confine_calls.ts": confineCalls,
  "runtime/os/confine_exec.ts": confineExec,
  "runtime/os/credentials.ts": credentials,
  "runtime/os/errno.ts": errno,
  "runtime/os/landlock.ts": landlock,
  "runtime/os/libc.ts": libc,
  "runtime/os/seccomp.ts": seccomp,
  "runtime/os/socket_options.ts": socketOptions,
  "runtime/os/tcp_socket.ts": tcpSocket,
  "runtime/os/unix_listener.ts": unixListener,
  "runtime/plugin/frame.ts": frame,
  "runtime/plugin/protocol.ts": protocol,
  "runtime/plugin/stage.ts": stage,
  "runtime/plugin/host/asking.ts": asking,
  "runtime/plugin/host/authored.ts": authored,
  "runtime/plugin/host/capabilities.ts": capabilities,
  "runtime/plugin/host/context.ts": context,
  "runtime/plugin/host/entry.ts": hostEntry,
  "runtime/plugin/host/host.ts": host,
  "runtime/plugin/host/main.ts": main,
  "runtime/plugin/host/pipe.ts": pipe,
  "runtime/plugin/host/service.ts": service,
  "runtime/plugin/first_stage.ts": firstStage,
  "runtime/plugin/first_stage_entry.ts": firstStageEntry,
};

export const STAGE_ENTRY = "runtime/plugin/first_stage_entry.ts";
export const HOST_ENTRY = "runtime/plugin/host/entry.ts";
export const SDK_ENTRY = "plugins/contract.ts";
export const TEST_ENTRY = "plugins/testing.ts";
/** What authors' editors and tests need of it. */
export const SDK_FILES = Object.keys(KIT_FILES).filter((path) => path.startsWith("plugins/"));

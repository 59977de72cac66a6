/**
 * `deno task compile [--bundle] [--output FILE]`: the whole program as one executable file, dist/tandem.
 *
 * `deno compile` makes it where its base, denort, can be had (downloaded, or DENORT_BIN). Otherwise, and with --bundle, it
 * is an offline bundle: a small shell script, then Deno and the bundled program, compressed. It unpacks them once into a
 * cache directory and executes them in its place.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Bytes of the script before the compressed files; padded, so that offsets do not depend on themselves. */
const scriptSize = 4096;

/** Makes `output`; what it was made by. */
export async function compile(
  output: string,
  options: { readonly bundle: boolean },
): Promise<"deno compile" | "bundle"> {
  await Deno.mkdir(output.replace(/[^/]*$/, "") || ".", { recursive: true });
  if (!options.bundle) {
    const made = await deno(["compile", "-A", "--no-check", "--output", output, "mod.ts"]);
    if (made.success) return "deno compile";
    say(`Cannot compile with denort, making an offline bundle instead: ${lastReason(made.stderr)}`);
  }
  const directory = await Deno.makeTempDir({ prefix: "tandem-bundle-" });
  try {
    const program = `${directory}/tandem.js`;
    const made = await deno(["bundle", "--platform", "deno", "--output", program, "mod.ts"]);
    if (!made.success) throw new Error(`Cannot bundle mod.ts: ${lastReason(made.stderr)}`);
    await writeBundle(output, await Deno.readFile(Deno.execPath()), await Deno.readFile(program));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  return "bundle";
}

async function writeBundle(
  output: string,
  runtime: Uint8Array<ArrayBuffer>,
  program: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const id = createHash("sha256").update(runtime).update(program).digest("hex").slice(0, 16);
  const [deno, tandem] = [await gzip(runtime), await gzip(program)];
  const script = launcher({ id, denoSize: deno.length, tandemSize: tandem.length });
  if (script.length > scriptSize) throw new RangeError(`Script has ${script.length} bytes, at most ${scriptSize}`);
  const padded = new Uint8Array(scriptSize).fill(0x0a);
  padded.set(new TextEncoder().encode(script));
  // Renamed into place: a program that runs from the old file keeps it, a reader never sees half of the new one.
  const temporary = `${output}.${Deno.pid}`;
  using file = await Deno.open(temporary, { write: true, create: true, truncate: true, mode: 0o755 });
  for (const part of [padded, deno, tandem]) await writeAll(file, part);
  await Deno.chmod(temporary, 0o755);
  await Deno.rename(temporary, output);
}

/** The script in front. POSIX sh, and of the machine only coreutils and gzip. */
function launcher(parts: { readonly id: string; readonly denoSize: number; readonly tandemSize: number }): string {
  return `#!/bin/sh
# Tandem in one file: this script, then Deno and the program, compressed. The first start unpacks them into a cache
# directory (TANDEM_CACHE_DIR, else /var/cache/tandem for root, else ~/.cache/tandem); every start executes them there.
set -eu
id=${parts.id}
fail() { echo "Cannot unpack Tandem: $*" >&2; exit 1; }

user=$(id -u)
if [ -n "\${TANDEM_CACHE_DIR:-}" ]; then base=$TANDEM_CACHE_DIR
elif [ "$user" -eq 0 ]; then base=/var/cache/tandem
else base=\${XDG_CACHE_HOME:-\${HOME:-/nonexistent}/.cache}/tandem
fi
# The proxy runs as another user, who must be able to read what is unpacked here.
mask=$(umask); umask 022
if ! mkdir -p "$base" 2>/dev/null || ! [ -w "$base" -o -d "$base/$id" ]; then
  base=\${TMPDIR:-/tmp}/tandem-$user
  mkdir -p "$base" 2>/dev/null || fail "no directory can be written, set TANDEM_CACHE_DIR to one"
fi
# Nobody else may put a program there for us to execute.
[ -O "$base" ] || [ -n "\${TANDEM_CACHE_DIR:-}" ] || fail "\\"$base\\" belongs to another user, set TANDEM_CACHE_DIR"
home=$base/$id
if ! [ -x "$home/deno" ]; then
  part=$(mktemp -d "$base/.unpacking.XXXXXX") || fail "\\"$base\\" cannot be written, set TANDEM_CACHE_DIR"
  trap 'rm -rf "$part"' EXIT
  trap 'exit 1' HUP INT TERM
  tail -c +${scriptSize + 1} "$0" | head -c ${parts.denoSize} | gzip -dc >"$part/deno" &&
    tail -c ${parts.tandemSize} "$0" | gzip -dc >"$part/tandem.js" ||
    fail "\\"$base\\" is full or \\"$0\\" is damaged"
  chmod 755 "$part" "$part/deno"
  # A rename is all or nothing; whoever starts at the same time and is second has the same files there already.
  mv -T "$part" "$home" 2>/dev/null || [ -x "$home/deno" ] || fail "\\"$home\\" cannot be made"
  rm -rf "$part"
  trap - EXIT HUP INT TERM
fi
umask "$mask"
export DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1 DENO_DIR="\${DENO_DIR:-$base/deno}"
exec "$home/deno" run -A --quiet --no-lock --no-remote --no-npm "$home/tandem.js" "$@"
exit 127
`;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
}

async function deno(args: readonly string[]): Promise<{ success: boolean; stderr: string }> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}

/** What an operator needs of Deno's error: its first line and its first cause. */
function lastReason(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  const first = lines.findIndex((line) => line.startsWith("error:"));
  return [lines[first], lines.find((line) => line.startsWith("1:"))].filter(Boolean).join(" ") || stderr.trim();
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      bundle: { type: "boolean", default: false },
      output: { type: "string", default: `${root}/dist/tandem` },
    },
  });
  const by = await compile(values.output, { bundle: values.bundle });
  const { size } = await Deno.stat(values.output);
  say(`Made ${values.output} by ${by === "bundle" ? "an offline bundle" : by}, ${(size / 1e6).toFixed(0)} MB`);
}

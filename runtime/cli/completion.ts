/** `completion`: the commands and their options, for the shell to finish. */
import { type CommandEntry, commands } from "./commands.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions } from "./options.ts";
import { print } from "./terminal.ts";

// deno-lint-ignore require-await
export async function run(args: readonly string[]): Promise<number> {
  const { positionals: [shell] } = parseOptions("completion", args, {}, [1, 1]);
  const visible = commands.filter(({ hidden }) => !hidden);
  if (shell === "bash") print(bash(visible));
  else if (shell === "zsh") print(zsh(visible));
  else throw new CommandError(Exit.usage, `Completion is there for bash and zsh, not for "${shell}"`);
  return Exit.done;
}

/** "--for TIME" → "--for". */
function flags({ options, nested = [], words = [] }: CommandEntry): string[] {
  return [...nested, ...words, ...options.map(([option]) => option.split(" ")[0]), "--help"];
}

function bash(entries: readonly CommandEntry[]): string {
  const cases = entries.map((entry) => `    ${entry.name}) words="${flags(entry).join(" ")}" ;;`);
  return `_tandem() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${entries.map(({ name }) => name).join(" ")}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${entries.map(({ name }) => name).join(" ")}"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ "\${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _tandem tandem`;
}

function zsh(entries: readonly CommandEntry[]): string {
  const quote = (text: string) =>
    text.replaceAll("'", "").replaceAll(":", "\\:").replaceAll("[", "\\[").replaceAll("]", "\\]");
  const cases = entries.map((entry) => {
    const specs = entry.options.map(([option, what]) => {
      const [flag, value] = option.split(" ");
      return `'${flag}${value === undefined ? "" : "="}[${quote(what)}]${
        value === undefined ? "" : `:${value}:_files`
      }'`;
    });
    if (entry.nested) specs.push(`'1:command:(${entry.nested.join(" ")})'`);
    if (entry.words) specs.push(`'1:word:(${entry.words.join(" ")})'`);
    return `    ${entry.name}) _arguments ${specs.join(" ")} '*:word:_files' ;;`;
  });
  return `#compdef tandem
_tandem() {
  local -a commands=(
${entries.map(({ name, summary }) => `    '${name}:${quote(summary)}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
_tandem "$@"`;
}

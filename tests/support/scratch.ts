/** A directory for one test's files, removed with everything in it. */
export class Scratch implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "tandem-test-" });

  /** `path` + name. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** What every application must do, asked of it over its own socket in its real sandbox. */
import type { Rule } from "./conformance.ts";
import type { Workshop } from "./workshop.ts";

const DEADLINE = 2000;

/** A request is answered, and not with the 500 that stands for an error of the application. */
async function answered(workshop: Workshop, request: { method?: string; target?: string; body?: string }) {
  const { status } = await visitOf(workshop).ask(request, DEADLINE);
  const { method = "GET", target = "/" } = request;
  if (status === 500) throw new Error(`${method} ${target} is answered 500: it threw; its log says what`);
}

function visitOf({ visit }: Workshop) {
  if (visit === null) throw new Error("takes no requests");
  return visit;
}

export const appRules: readonly Rule[] = [
  {
    name: "requests of every method are answered, none with an error of its own",
    async test(workshop) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        await answered(workshop, { method, body: method.startsWith("P") ? "a=1" : "" });
      }
    },
  },
  {
    name: "targets that no browser would ask for are answered",
    async test(workshop) {
      const targets = ["//", "/../..", "/%00", "/%ff%fe", "/%", "/?&&==%", `/${"a".repeat(6000)}`, "/a/./b/../c"];
      for (const target of targets) await answered(workshop, { target });
    },
  },
  {
    name: "fifty requests at once are answered",
    async test(workshop) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => answered(workshop, { target: `/${index}` })));
    },
  },
  {
    name: "a client that goes away in the middle of its body leaves the others alone",
    async test(workshop) {
      await visitOf(workshop).leave("POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 100\r\n\r\nhalf");
      await answered(workshop, {});
    },
  },
  {
    name: "what cannot be forwarded is answered too",
    async test(workshop) {
      visitOf(workshop).cut();
      await visitOf(workshop).ask({}, DEADLINE);
    },
  },
  {
    name: "it ends when it is told to",
    async test(workshop) {
      await workshop.call("drain", null, DEADLINE);
    },
  },
];

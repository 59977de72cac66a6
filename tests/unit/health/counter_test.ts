import assert from "node:assert/strict";
import { initialHealth, observe, type Outcome } from "../../../runtime/health/counter.ts";

const letters: Record<string, Outcome> = { u: "up", d: "down", s: "standby", r: "drain", "?": "unknown" };

/** Plays answers and tells the state after each: `u`p `d`own `s`tandby d`r`ain `w`ait. */
function play(initial: "wait" | "up" | "down", answers: string, rise: number, fall: number): string {
  let health = initialHealth(initial);
  return [...answers].map((letter) => {
    health = observe(health, letters[letter], { rise, fall });
    return { up: "u", down: "d", standby: "s", drain: "r", wait: "w" }[health.state];
  }).join("");
}

Deno.test("observe() changes a server after rise good or fall bad answers in a row", () => {
  const rows: [string, "wait" | "up" | "down", string, number, number, string][] = [
    ["the first good answer decides", "wait", "u", 5, 5, "u"],
    ["one bad answer does not", "wait", "ddd", 2, 3, "wwd"],
    ["a good one after a bad one does", "wait", "du", 2, 3, "wu"],
    ["no answer decides nothing", "wait", "?u", 2, 3, "wu"],
    ["falls at the third bad answer", "up", "dddd", 2, 3, "uudd"],
    ["a good answer ends a bad row", "up", "ddudd", 2, 3, "uuuuu"],
    ["an unknown answer neither counts nor ends a row", "up", "d?d?d", 2, 3, "uuuud"],
    ["rises at the second good answer", "down", "uu", 2, 3, "du"],
    ["a bad answer ends a good row", "down", "uduu", 2, 3, "dddu"],
    ["fall 1 and rise 1 follow every answer", "up", "dudu", 1, 1, "dudu"],
    ["standby counts as good", "down", "ss", 2, 3, "ds"],
    ["good answers replace each other at once", "up", "sru", 2, 3, "sru"],
    ["standby falls like up", "up", "sddd", 2, 3, "sssd"],
    ["the last of a mixed good row names the state", "down", "us", 2, 3, "ds"],
  ];
  for (const [name, initial, answers, rise, fall, expected] of rows) {
    assert.equal(play(initial, answers, rise, fall), expected, name);
  }
});

/** `GET /`: the status as a page that needs nothing but a browser. Pure. */
import { html, raw } from "hono/html";
import type { Status } from "../control/status.ts";
import type { JournalEvent } from "../telemetry/events.ts";

type Html = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --dim: #888; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.8rem 0 .4rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600; color: var(--dim) } .up, .active { color: var(--good) } .down, .fault, .error { color: var(--bad) } small { color: var(--dim) }
`;

export function renderPage(status: Status, events: readonly JournalEvent[]): Html {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <meta http-equiv="refresh" content="2">
        <title>${status.node}: Tandem</title>
        <style>${raw(style)}</style>
      </head>
      <body>
    <h1>${status.node} <small>Tandem ${status.version}, ${status.phase}, up ${status.uptime_s} s, ${status.io ??
      "no I/O yet"}</small></h1>
    ${status.missing.map((sentence) => html`<p class="fault">${sentence}</p>`)}
    <h2>Virtual routers</h2>
    <table><tr><th>Instance<th>State<th>Since<th>Why<th>Addresses<th>Active router<th>Priority</tr>
    ${status.vrrp.map((one) =>
      html`
        <tr>
          <td>${one.name}<td class="${one.state}">${one.state}<td>${one.since}<td>${one.reason}
        ${one.tracking.causes.map((cause) => html`<br><small>${cause}</small>`)}
        <td>${one.virtual_addresses.join(", ")}<td>${one.active_router ?? "none heard"}<td>${one.priority
          .effective}</tr>
      `
    )}</table>
    <h2>Frontends</h2>
    <table><tr><th>Frontend<th>Addresses<th>Connections<th>Requests<th>2xx<th>4xx<th>5xx</tr>
    ${status.frontends.map((one) =>
      html`
        <tr>
          <td>${one.name}<td>${one.bind.join(", ")} ${one.error === null
            ? ""
            : html`<br><small class="error">${one.error}</small>`}
        <td>${one.connections.current}<td>${one.requests_total}<td>${one.responses["2xx"]}<td>${one
          .responses["4xx"]}<td>${one.responses["5xx"]}</tr>
      `
    )}</table>
    ${status.backends.map((backend) =>
      html`
        <h2>Backend ${backend.name} <small>${backend.balance}</small></h2>
        <table>
          <tr>
            <th>Server<th>Address<th>State<th>Since<th>Why<th>Weight<th>Connections<th>Requests</tr>
        ${backend.servers.map((one) =>
          html`
            <tr>
              <td>${one.name}<td>${one.address}<td class="${one.state}">${one.state}<td>${one.since}<td>${one.reason}
            <td>${one.weight}<td>${one.connections}<td>${one.requests_total}</tr>
          `
        )}</table>
      `
    )}
    <h2>Events</h2>
    <table>${[...events].reverse().map((event) =>
      html`
        <tr>
          <td>${event.at}<td class="${event.severity}">${event.severity}<td>${event.text}</tr>
      `
    )}</table>
    </body></html>
  `;
}

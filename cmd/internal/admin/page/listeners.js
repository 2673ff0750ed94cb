// The listeners.

import { byId, el, keyed, row, say } from "./dom.js";
import { listenerKey } from "./rates.js";
import * as units from "./units.js";

let update = null;

/** show draws all listeners. */
export function show(known) {
  update ??= keyed(byId("listeners-rows"), (ln) => ln.name, make);
  update(known.status.listeners.map((ln) => ({ ...ln, rates: known.rates.get(listenerKey(ln)) })));
}

function make(ln) {
  const { node, cells } = row(["Listener", "th.name"], ["Address", "td.address"], ["Sessions", "td.num"], ["New", "td.num"], ["In", "td.num.rate"],
    ["Out", "td.num.rate"], ["Turned away", "td"]);
  const [name, address, sessions, begun, bytesIn, bytesOut, rejected] = cells;
  const mode = el("span.tags");
  name.append(ln.name, mode);
  return {
    node,
    update(ln) {
      say(mode, ln.tls);
      say(address, ln.addresses.join(", ") || "not bound");
      say(sessions, ln.limit > 0 ? `${units.count(ln.sessions)} of ${units.count(ln.limit)}` : units.count(ln.sessions));
      say(begun, units.perSecond(ln.rates.begun));
      say(bytesIn, units.rate(ln.rates.in));
      say(bytesOut, units.rate(ln.rates.out));
      say(rejected, rejectedOf(ln));
    },
  };
}

const rejectedOf = (ln) => Object.entries(ln.rejected).map(([why, n]) => `${units.count(n)} ${why.replaceAll("_", " ")}`).join(", ") || "none";

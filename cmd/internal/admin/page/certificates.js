// The certificates that listeners show.

import { byId, el, keyed, mark, row, say, show as visible } from "./dom.js";
import * as units from "./units.js";

const soon = 21; // days: who renews a month ahead has failed to by then
const dayLong = 86_400_000;

let update = null;

/** show draws the certificates, if there are any. */
export function show(known) {
  update ??= keyed(byId("certificates-rows"), (c) => `${c.listener} ${c.file}`, make);
  visible(document.querySelector("section.certificates"), known.status.certificates.length > 0);
  update(known.status.certificates.map((c) => ({ ...c, now: new Date(known.status.time) })));
}

function make() {
  const { node, cells } = row(["Names", "th.name"], ["Listener", "td"], ["Expires", "td.state"], ["File", "td.mono"]);
  const [names, listener, expires, file] = cells;
  const [badge, when] = [el("span.badge"), el("span.since.soft")];
  expires.append(el("span.now", {}, badge, when));
  return {
    node,
    update(c) {
      const { words, tone } = validity(c);
      say(names, units.plain(c.names.join(", ")) || "no names");
      say(listener, c.listener);
      say(badge, words);
      mark(badge, "data-tone", tone);
      say(when, units.day(new Date(c.not_after)));
      say(file, c.file);
      mark(file, "title", `SHA-256 ${c.fingerprint}`);
    },
  };
}

function validity(c) {
  const days = Math.floor((new Date(c.not_after) - c.now) / dayLong);
  if (days < 0) return { words: "expired", tone: "bad" };
  if (new Date(c.not_before) > c.now) return { words: "not valid yet", tone: "bad" };
  return { words: `in ${units.counted(days, "day")}`, tone: days < soon ? "warn" : "good" };
}

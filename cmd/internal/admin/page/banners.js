// What concerns all of Sluice, or of this page, at the top: lost connection, not ready, configuration refused.

import { byId, el, keyed, say } from "./dom.js";
import * as units from "./units.js";

let update = null;

/** show draws what there is to say. */
export function show(known) {
  update ??= keyed(byId("banners"), (b) => b.key, make);
  update(bannersOf(known));
}

function make(b) {
  const text = el("span");
  return {
    node: el("p.banner", { "data-tone": b.tone, role: b.tone === "bad" ? "alert" : "status" }, text),
    update: (b) => say(text, b.text),
  };
}

function bannersOf({ status, lostSince, error }) {
  if (lostSince) {
    const then = status ? `What is shown is from ${units.clock(new Date(status.time))}. ` : "";
    return [{ key: "lost", tone: "bad", text: `Connection lost: no answer from Sluice since ${units.clock(lostSince)} (${error}). ${then}Trying again.` }];
  }
  if (!status) return [];
  const all = [];
  if (status.draining) all.push({ key: "drain", tone: "warn", text: "This balancer drains: it takes no new clients and ends with its last session." });
  for (const why of status.not_ready) if (!status.draining) all.push({ key: why, tone: "bad", text: `Not ready: ${units.plain(why)}.` });
  const last = status.config.last_reload;
  if (!last.ok) {
    const problem = last.error ?? last.problems.find((p) => !p.warning)?.text ?? "";
    all.push({ key: "reload", tone: "warn", text: `The configuration was refused at ${units.clock(new Date(last.time))}; what was read before is in effect. ${units.plain(problem)}` });
  }
  if (status.records.dropped > 0) {
    all.push({ key: "records", tone: "warn", text: `${units.counted(status.records.dropped, "session record")} were lost: whoever reads them is too slow.` });
  }
  return all;
}

// The last events, the newest first, as sentences.

import { byId, el, keyed, show as visible } from "./dom.js";
import * as units from "./units.js";

const maxShown = 100;

let update = null;

/** show draws the events. */
export function show(known) {
  update ??= keyed(byId("events-rows"), (e) => e.id, make);
  update(known.events.slice(0, maxShown));
  visible(byId("events-none"), known.events.length === 0);
}

function make(e) {
  const { text, tone } = sentence(e);
  const at = new Date(e.time);
  const time = el("time.soft", { datetime: e.time, title: at.toLocaleString() }, units.clock(at));
  const about = units.plain(e.reason ?? "");
  return {
    node: el("li", { "data-tone": tone }, time, el("span.what", {}, el("span.mark", { "aria-hidden": "true" }), text, about ? el("span.about", {}, about) : "")),
    update() {},
  };
}

/** sentence is what an event says, {text, tone}; its reason is not in it. */
export function sentence(e) {
  const [node, who] = [`${e.pool ?? ""} ${e.node ?? ""}`.trim(), e.listener ?? ""];
  switch (`${e.kind} ${e.new ?? ""}`) {
    case "health down": return { text: `${node} is down`, tone: "bad" };
    case "health up": return { text: `${node} is up`, tone: "good" };
    case "busy busy": return { text: `${node} is busy`, tone: "warn" };
    case "busy no": return { text: `${node} is not busy any more`, tone: "good" };
    case "admin drain": return { text: `${node} drains`, tone: "held" };
    case "admin maint": return { text: `${node} is in maintenance`, tone: "held" };
    case "admin ready": return { text: `${node} is ready`, tone: "good" };
    case "eject ejected": return { text: `${node} is ejected`, tone: "bad" };
    case "eject no": return { text: `${node} is back`, tone: "good" };
    case "resolve failing": return { text: `${node} cannot be resolved`, tone: "bad" };
    case "resolve resolved": return { text: `${node} is resolved`, tone: "good" };
    case "member added": return { text: `${node} joined its pool`, tone: "none" };
    case "member removed": return { text: `${node} left its pool`, tone: "none" };
    case "reload in effect": return { text: "the configuration was read", tone: "good" };
    case "reload refused": return { text: "the configuration was refused; nothing has changed", tone: "bad" };
    case "listener bound": return { text: `listener ${who} is bound`, tone: "none" };
    case "drain draining": return { text: "this balancer is about to end", tone: "warn" };
    case "lost ": return { text: "events are missing here", tone: "warn" };
    case "kill ": return { text: node ? `sessions of ${node} were ended` : "a session was ended", tone: "none" };
  }
  return { text: [e.kind, node, who, e.old, e.new && `→ ${e.new}`].filter(Boolean).join(" "), tone: "none" };
}

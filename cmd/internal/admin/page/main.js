// The page: what there is to show is asked for in live.js, and each part of the page shows its part of it.

import { onToken } from "./api.js";
import * as banners from "./banners.js";
import * as certificates from "./certificates.js";
import { byId, mark, say } from "./dom.js";
import * as events from "./events.js";
import * as listeners from "./listeners.js";
import { known, run } from "./live.js";
import { news } from "./news.js";
import * as nodes from "./nodes.js";
import * as overview from "./overview.js";
import * as sessions from "./sessions.js";
import { wantToken } from "./token.js";
import * as units from "./units.js";

let drawing = 0; // the frame in which all that is new is drawn

/** redraw draws what is known, once for all that came together. */
function redraw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
}

function draw() {
  const lost = known.lostSince !== null;
  document.documentElement.classList.toggle("stale", lost);
  say(byId("link"), lost ? "connection lost" : known.status ? "live" : "connecting");
  mark(byId("link"), "data-tone", lost ? "bad" : known.status ? "good" : "none");
  banners.show(known);
  events.show(known);
  if (!known.status) return;
  drawHead(known.status, lost);
  for (const part of [overview, nodes, listeners, certificates]) part.show(known);
  if (!lost) sessions.show(known);
}

function drawHead(status, lost) {
  const word = status.draining ? "draining" : status.ready ? "ready" : "not ready";
  const last = status.config.last_reload;
  document.title = `${status.ready ? "" : "! "}${status.host || "Sluice"} · Sluice`;
  say(byId("host"), status.host);
  say(byId("about"), `up ${units.age(status.uptime)}, ${status.config.path}${last.ok ? `, read ${units.age((new Date(status.time) - new Date(last.time)) / 1000)} ago` : ""}`);
  say(byId("ready"), lost ? `was ${word}` : word);
  mark(byId("ready"), "data-tone", lost ? "none" : status.draining ? "warn" : status.ready ? "good" : "bad");
  say(byId("build"), `${status.build.version} ${status.build.commit.slice(0, 12)}, ${status.build.go}, pid ${status.pid}`);
}

onToken(wantToken);
nodes.onChoose(sessions.choose);
sessions.begin();
run(redraw, (event) => news(events.sentence(event).text));

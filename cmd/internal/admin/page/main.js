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

function draw() {
  const lost = known.lostSince !== null;
  document.documentElement.classList.toggle("stale", lost);
  banners.show(known);
  say(byId("link"), lost ? "connection lost" : "live");
  mark(byId("link"), "data-tone", lost ? "bad" : "good");
  if (!known.status) return;
  events.show(known);
  if (lost) return;
  drawHead(known.status);
  for (const part of [overview, nodes, listeners, certificates, sessions]) part.show(known);
}

function drawHead(status) {
  const last = status.config.last_reload;
  document.title = `${status.ready ? "" : "! "}${status.host || "Sluice"} · Sluice`;
  say(byId("host"), status.host);
  say(byId("about"), `up ${units.age(status.uptime)}, ${status.config.path}${last.ok ? `, read ${units.age((new Date(status.time) - new Date(last.time)) / 1000)} ago` : ""}`);
  say(byId("ready"), status.draining ? "draining" : status.ready ? "ready" : "not ready");
  mark(byId("ready"), "data-tone", status.draining ? "warn" : status.ready ? "good" : "bad");
  say(byId("build"), `${status.build.version} ${status.build.commit.slice(0, 12)}, ${status.build.go}, pid ${status.pid}`);
}

onToken(wantToken);
nodes.onChoose(sessions.choose);
sessions.begin();
run(draw, (event) => news(events.sentence(event).text));

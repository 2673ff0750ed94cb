// The live sessions. Sluice searches and sorts; the page never holds more of them than it shows.

import { ask } from "./api.js";
import { byId, el, keyed, mark, row, say, show as visible } from "./dom.js";
import { endSession } from "./operate.js";
import * as units from "./units.js";

const step = 100; // this many are shown at first, and more each time they are asked for
const most = 1000;
const typing = 250; // milliseconds without a key, after which it is searched

const [rows, search, where, sort, sum, none, more] =
  ["rows", "search", "where", "sort", "sum", "none", "more"].map((name) => byId(`sessions-${name}`));

let update = null;
let limit = step;
let asked = 0; // the number of the last question: answers to others are late
let places = ""; // what can be chosen from, as it was last drawn

/** begin makes the filter work. */
export function begin() {
  let timer = 0;
  const again = () => {
    limit = step;
    refresh();
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(again, typing);
  });
  where.addEventListener("change", again);
  sort.addEventListener("change", again);
  more.addEventListener("click", () => {
    limit = Math.min(most, limit * 2);
    refresh();
  });
  byId("sessions-filter").addEventListener("submit", (e) => {
    e.preventDefault();
    clearTimeout(timer);
    again();
  });
}

/** choose shows the sessions of a node. */
export function choose(pool, node) {
  where.value = `${pool}\n${node}`;
  search.value = "";
  limit = step;
  refresh();
  byId("sessions-title").focus();
  byId("sessions-title").scrollIntoView({ block: "start" });
}

/** show draws what can be chosen from, and the sessions. */
export function show(known) {
  const nodes = [...known.status.pools.flatMap((p) => p.nodes), ...known.status.retired];
  drawPlaces(known.status.pools.map((p) => p.name), nodes);
  return refresh();
}

function drawPlaces(pools, nodes) {
  const now = JSON.stringify([pools, nodes.map((n) => [n.pool, n.name])]);
  if (now === places) return;
  places = now;
  const chosen = where.value;
  const options = [el("option", { value: "" }, "everywhere")];
  for (const p of pools) {
    options.push(el("option", { value: p }, `pool ${p}`));
    for (const n of nodes.filter((n) => n.pool === p)) options.push(el("option", { value: `${p}\n${n.name}` }, `${p} ${n.name}`));
  }
  where.replaceChildren(...options);
  where.value = chosen;
  if (where.selectedIndex < 0) where.value = "";
}

/** refresh asks, and draws the answer unless there has been another question since. */
async function refresh() {
  const [pool, node] = where.value.split("\n");
  const query = new URLSearchParams({ sort: sort.value, limit });
  for (const [key, value] of Object.entries({ search: search.value.trim(), pool, node })) if (value) query.set(key, value);
  const number = ++asked;
  let list;
  try {
    list = await ask("GET", `/api/v1/sessions?${query}`);
  } catch {
    return; // the status has the same trouble, and says so
  }
  if (number !== asked) return;
  draw(list);
}

function draw(list) {
  update ??= keyed(rows, (s) => s.id, make);
  update(list.sessions);
  const [shown, filtered] = [list.sessions.length, list.matched !== list.total];
  say(sum, shown < list.matched ? `${units.count(shown)} of ${units.count(list.matched)}${filtered ? " that match" : ""} shown` :
    filtered ? `${units.count(list.matched)} of ${units.counted(list.total, "session")}` : units.counted(list.total, "session"));
  visible(none, shown === 0);
  say(none, filtered ? "No session matches." : "No sessions.");
  visible(more, shown < list.matched && limit < most);
}

function make(s) {
  const { node, cells } = row(["Session", "th.num"], ["Client", "td.mono"], ["Server name", "td.name-from-wire"], ["Listener", "td"],
    ["Node", "td.mono"], ["Phase", "td"], ["Age", "td.num"], ["Idle", "td.num"], ["In", "td.num"], ["Out", "td.num"], ["Actions", "td.actions"]);
  const [id, client, name, listener, at, phase, age, idle, bytesIn, bytesOut, actions] = cells;
  const kill = el("button", { type: "button", "aria-label": `Kill session ${s.id} of ${s.client}` }, "Kill");
  let latest = s;
  kill.addEventListener("click", () => endSession(latest));
  say(id, String(s.id));
  say(client, s.client);
  say(listener, s.listener);
  actions.append(kill);
  return {
    node,
    update(s) {
      latest = s;
      say(name, s.server_name ? units.plain(s.server_name) : "–");
      mark(name, "title", s.alpn.length > 0 ? `ALPN ${units.plain(s.alpn.join(", "))}` : undefined);
      say(at, s.node || "–");
      mark(at, "title", s.pool ? `pool ${s.pool}` : undefined);
      say(phase, s.phase);
      say(age, units.age(s.dur));
      say(idle, units.age(s.idle));
      say(bytesIn, units.size(s.bytes_in));
      say(bytesOut, units.size(s.bytes_out));
    },
  };
}

// The pools, and their nodes.

import { byId, el, keyed, mark, row, say, show as visible } from "./dom.js";
import { news } from "./news.js";
import { nodeKey } from "./rates.js";
import { spark } from "./spark.js";
import { standing } from "./standing.js";
import * as act from "./operate.js";
import * as units from "./units.js";

let update = null;
let chosen = () => {}; // is called with pool and node when somebody wants to see its sessions

/** onChoose says who shows the sessions of a node. */
export function onChoose(f) {
  chosen = f;
}

/** show draws all pools. Nodes that no pool has any more come last, while they have sessions. */
export function show(known) {
  update ??= keyed(byId("pools"), (p) => p.name, makePool);
  const pools = known.status.pools.map((p) => ({ ...p, known }));
  if (known.status.retired.length > 0) {
    pools.push({ name: "", nodes: known.status.retired, available: 0, known });
  }
  update(pools);
}

function makePool(pool) {
  const node = byId("pool").content.cloneNode(true).firstElementChild;
  const [title, sum, table, trend] = ["h2", ".sum", "table", ".trend"].map((s) => node.querySelector(s));
  const name = pool.name ? `Pool ${pool.name}` : "Nodes that were taken out";
  const line = spark();
  say(title, name);
  title.id = `pool-${pool.name}`;
  node.setAttribute("aria-labelledby", title.id);
  say(table.caption, name);
  if (pool.name) trend.append(line.node);
  const rows = keyed(table.tBodies[0], (n) => `${n.pool} ${n.name} ${n.address}`, (n) => makeNode(n, pool));
  return {
    node,
    update(pool) {
      say(sum, sumOf(pool));
      line.draw(pool.known.trends.get(`pool ${pool.name}`) ?? [], both, units.rate);
      rows(pool.nodes.map((n) => ({ ...n, known: pool.known })));
    },
  };
}

/** both is what moved either way. */
const both = (p) => (p.in === undefined ? undefined : p.in + p.out);

function sumOf(pool) {
  const sessions = units.counted(pool.nodes.reduce((sum, n) => sum + n.sessions, 0), "session");
  if (!pool.name) return `${sessions} left`;
  return `${pool.available} of ${pool.nodes.length} available, ${sessions}, ${pool.balance}, check ${pool.check}`;
}

function makeNode(n, pool) {
  const made = row(["Node", "th.name"], ["State", "td.state"], ["Sessions", "td.num"], ["In", "td.num.rate"], ["Out", "td.num.rate"],
    ["15 minutes", "td.trend"], ["Latency", "td.num.latency"], ["Actions", "td.actions"]);
  const [name, state, sessions, bytesIn, bytesOut, trend, latency, actions] = made.cells;
  const [badge, since, why] = [el("span.badge"), el("span.since.soft"), el("span.why")];
  const [dial, check] = [el("span"), el("span")];
  const [tags, line] = [el("span.tags"), spark()];
  const open = el("button.link", { type: "button" });
  open.addEventListener("click", () => chosen(n.pool, n.name));
  name.append(el("span.mono", {}, n.name), tags);
  state.append(el("span.now", {}, badge, since), why);
  latency.append(dial, check);
  sessions.append(open);
  trend.append(line.node);
  let before = "";
  const buttons = pool.name ? makeButtons(n) : { nodes: [], update() {} };
  actions.append(...buttons.nodes);
  return {
    node: made.node,
    update(n) {
      const now = standing(n, new Date(n.known.status.time));
      const rates = n.known.rates.get(nodeKey(n.pool, n.name)) ?? {};
      say(badge, now.words);
      if (before.startsWith("draining") && now.words.startsWith("drained")) news(`${n.name} is drained: it can be stopped`);
      before = now.words;
      mark(badge, "data-tone", now.tone);
      say(since, now.since);
      say(why, units.plain(now.why));
      mark(why, "title", now.why ? units.plain(now.why) : undefined);
      say(tags, tagsOf(n));
      say(open, units.count(n.sessions));
      mark(open, "aria-label", `${units.count(n.sessions)}: show the sessions of ${n.name}`);
      say(bytesIn, units.rate(rates.in));
      say(bytesOut, units.rate(rates.out));
      line.draw(n.known.trends.get(nodeKey(n.pool, n.name)) ?? [], both, units.rate);
      say(dial, n.dial.count > 0 ? `dial ${units.msPair(n.dial.p50, n.dial.p99)}` : "not dialled yet");
      say(check, n.check ? `check ${units.ms(n.check.took)}` : "not checked");
      mark(check, "title", n.check ? `${n.check.verdict}: ${units.plain(n.check.text)}` : undefined);
      buttons.update(n);
    },
  };
}

function tagsOf(n) {
  const tags = [];
  if (n.backup) tags.push("backup");
  if (n.weight !== 100) tags.push(`weight ${n.weight}`);
  if (n.limit > 0) tags.push(`at most ${units.counted(n.limit, "session")}`);
  return tags.join(", ");
}

/** makeButtons makes what can be done with a node, of which that is shown which makes sense. */
function makeButtons(n) {
  let latest = n;
  const button = (word, f) => {
    const b = el("button", { type: "button", "aria-label": `${word} ${n.name} of pool ${n.pool}` }, word);
    b.addEventListener("click", f);
    return b;
  };
  const ready = button("Ready", () => act.ready(latest));
  const drain = button("Drain", () => act.drain(latest));
  const maint = button("Maint", () => act.maint(latest));
  const end = button("End sessions", () => act.endSessions(latest));
  const nodes = [ready, drain, maint, end];
  return {
    nodes,
    update(n) {
      latest = n;
      const focused = nodes.find((b) => b === document.activeElement);
      visible(ready, n.admin !== "ready" || n.ejected);
      visible(drain, n.admin === "ready");
      visible(maint, n.admin !== "maint");
      visible(end, n.admin !== "ready" && n.sessions > 0);
      if (focused?.hidden) nodes.find((b) => !b.hidden).focus(); // it stays with the node
    },
  };
}

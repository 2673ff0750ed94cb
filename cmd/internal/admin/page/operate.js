// What an operator can do to nodes and sessions, each with what it will mean before it is done.

import { ask } from "./api.js";
import { confirm } from "./confirm.js";
import { el } from "./dom.js";
import { known, refresh } from "./live.js";
import * as units from "./units.js";

const cluster = 15_000; // milliseconds: a MinIO node asks all others before it answers

const nodePath = (n, word) => `/api/v1/pools/${encodeURIComponent(n.pool)}/nodes/${encodeURIComponent(n.name)}/${word}`;

/** drain takes a node out, if its cluster can do without it. */
export function drain(n) {
  let force = false;
  let also = [];
  confirm({
    title: `Drain ${n.name}?`,
    action: "Drain",
    async fill(d) {
      const waiting = d.fact("Asking the node whether its cluster can do without it …");
      const outlook = await ask("GET", nodePath(n, "drain"), cluster).catch((error) => ({ error }));
      if (!d.open()) return false;
      waiting.remove();
      if (outlook.error) {
        d.fact(`It cannot be said what this would mean: ${outlook.error.message}`, "bad");
        return false;
      }
      sayAnswer(d, outlook);
      sayOutlook(d, outlook);
      also = offerOthers(d, n, "Drain it", (node) => node.admin === "ready");
      if (outlook.refusal) offerForce(d, (may) => (force = may));
      return !outlook.refusal;
    },
    async run() {
      await setNodes(n, also, `drain${force ? "?force=true" : ""}`);
    },
  });
}

/** sayAnswer shows what the cluster says. */
function sayAnswer(d, { answer, refusal, notices, pool }) {
  if (!answer) d.fact(`Nodes of pool ${pool} are not checked as MinIO, so nobody was asked whether their cluster can do without this one.`, "none");
  else if (answer.safe) d.fact(`Safe: ${answer.text}.`, "good");
  else d.fact(refusal ? `Not safe: ${refusal.error}.` : `Nobody can tell: ${answer.text}.`, refusal ? "bad" : "warn");
  if (refusal?.hint) d.fact(`What helps: ${refusal.hint.split(";")[0]}.`);
  for (const text of notices) d.fact(`Note: ${text}.`, "warn");
}

/** sayOutlook shows what becomes of sessions. */
function sayOutlook(d, { pool, others, sessions }) {
  if (others > 0) d.fact(`New sessions go to the ${others === 1 ? "other available node" : `${others} other available nodes`} of pool ${pool}.`);
  else d.fact(`No other node of pool ${pool} is available: rather than refuse clients, Sluice goes on sending them here.`, "warn");
  sayKept(d, sessions);
  d.fact("Ready undoes it at any time.");
}

function sayKept(d, sessions) {
  if (sessions === 0) d.fact("It has no sessions now.");
  else d.fact(sessions === 1 ? "Its one session goes on until it ends; nothing is cut." : `Its ${units.count(sessions)} sessions go on until they end; nothing is cut.`);
}

/**
 * offerOthers offers to do the same to what the same machine is in other pools, the Console for one, where that fits.
 * It returns the boxes and the nodes that they stand for.
 */
function offerOthers(d, n, what, fits) {
  const host = (node) => (node.address ?? "").replace(/:\d+$/, "");
  const others = known.status.pools.flatMap((p) => p.nodes).filter((node) => node.pool !== n.pool && n.address && host(node) === host(n) && fits(node));
  return others.map((node) => {
    const box = el("input", { type: "checkbox", checked: true });
    d.choice(box, `${what} in pool ${node.pool} too, ${units.counted(node.sessions, "session")}`);
    return { node, box };
  });
}

/** setNodes says a word to a node, and to those of the others whose boxes are ticked. */
async function setNodes(n, others, word) {
  for (const node of [n, ...others.filter(({ box }) => box.checked).map(({ node }) => node)]) await ask("POST", nodePath(node, word), cluster);
  refresh();
}

/** offerForce lets the person say that it is to be done all the same. */
function offerForce(d, force) {
  const box = el("input", { type: "checkbox" });
  box.addEventListener("change", () => {
    force(box.checked);
    d.word(box.checked ? "Drain all the same" : "Drain", box.checked);
    d.allow(box.checked);
  });
  d.choice(box, "Drain it all the same. I know that stopping it now may make the cluster refuse to write.");
}

/** maint takes a node out altogether. */
export function maint(n) {
  let also = [];
  confirm({
    title: `Put ${n.name} into maintenance?`,
    action: "Maintenance",
    async fill(d) {
      d.allow(true); // a node that hangs is not waited for
      also = offerOthers(d, n, "Maintenance", (node) => node.admin !== "maint");
      d.fact("It gets no new sessions, not even if no other node is available, and is not checked.");
      sayKept(d, n.sessions);
      d.fact("Ready undoes it at any time.");
      const waiting = d.fact("Asking the node whether its cluster can do without it …");
      const outlook = await ask("GET", nodePath(n, "drain"), cluster).catch((error) => ({ error }));
      waiting.remove();
      if (outlook.error) d.fact(`Nobody can tell whether its cluster can do without it: ${outlook.error.message}`, "warn");
      else sayAnswer(d, outlook);
    },
    async run() {
      await setNodes(n, also, "maint");
    },
  });
}

/** ready puts a node back. */
export function ready(n) {
  let also = [];
  confirm({
    title: `Put ${n.name} back?`,
    action: "Ready",
    async fill(d) {
      d.fact("It gets new sessions again, as soon as it is not down.");
      if (n.ejected) d.fact("It is ejected because of what traffic met; that ends now.");
      also = offerOthers(d, n, "Put it back", (node) => node.admin !== "ready");
    },
    async run() {
      await setNodes(n, also, "ready");
    },
  });
}

/** endSessions cuts what a node has left. */
export function endSessions(n) {
  confirm({
    title: `End all sessions of ${n.name}?`,
    action: "End sessions",
    danger: true,
    async fill(d) {
      d.fact("Clients and node see a reset: whatever they are moving is cut, and clients must begin it again.", "warn");
      d.fact("This cannot be undone.");
    },
    async run() {
      await ask("DELETE", `/api/v1/sessions?${new URLSearchParams({ pool: n.pool, node: n.name })}`);
      refresh();
    },
  });
}

/** endSession cuts one session. */
export function endSession(s) {
  confirm({
    title: `Kill session ${s.id}?`,
    action: "Kill",
    danger: true,
    async fill(d) {
      d.fact(`${s.client} to ${s.node || "no node yet"}, ${units.age(s.dur)} old, ${units.size(s.bytes_in)} in and ${units.size(s.bytes_out)} out so far.`);
      d.fact("Both sides see a reset: whatever they are moving is cut. This cannot be undone.", "warn");
    },
    async run() {
      await ask("DELETE", `/api/v1/sessions/${s.id}`);
      refresh();
    },
  });
}

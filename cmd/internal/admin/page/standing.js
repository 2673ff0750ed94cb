// What decides whether a node gets sessions, in words. Nothing is said by colour alone.

import { age, counted } from "./units.js";

/**
 * standing is {words, tone, since, why}: the words for a node's state, the most important first; the tone (good,
 * warn, bad, held, none) by which it is coloured; for how long; and what else there is to know, if anything.
 */
export function standing(node, now) {
  const facts = [];
  if (node.admin === "maint") facts.push(["maintenance", "held"]);
  if (node.admin === "drain") facts.push([node.sessions > 0 ? "draining" : "drained", "held"]);
  if (node.address === undefined) facts.push(["no address", "bad"]);
  if (node.health === "down" && node.admin !== "maint") facts.push(["down", "bad"]);
  if (node.ejected) facts.push(["ejected", "bad"]);
  if (node.busy) facts.push(["busy", "warn"]);
  if (facts.length === 0) facts.push(node.health === "up" ? ["up", "good"] : ["not checked", "none"]);
  return {
    words: facts.map(([word]) => word).join(", "),
    tone: facts[0][1],
    since: `for ${age((now - new Date(node.since)) / 1000)}`,
    why: why(node, facts[0][1], now),
  };
}

function why(node, tone, now) {
  if (node.admin === "maint") return "no sessions, no checks";
  if (node.admin === "drain" && node.sessions === 0) return "it can be stopped";
  if (node.admin === "drain") return `${counted(node.sessions, "session")} left`;
  if (node.ejected && node.ejected_until) return `back in ${age((new Date(node.ejected_until) - now) / 1000)}: ${node.reason}`;
  return tone === "good" ? "" : node.reason;
}

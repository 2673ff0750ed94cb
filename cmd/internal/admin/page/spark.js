// Sparklines: the last 15 minutes as a line over a filled area, from nothing to the largest value.

import { mark } from "./dom.js";

const svg = "http://www.w3.org/2000/svg";
const width = 180;
const height = 40;
const minutes = 15 * 60_000;
const gap = 15_000; // without a sample for longer, nothing is known of the time in between

/**
 * spark makes a sparkline, and returns {node, draw}. draw(points, value, write) takes points {time, ...},
 * the value of a point (undefined: not known) and how values are written.
 */
export function spark() {
  const node = document.createElementNS(svg, "svg");
  for (const [k, v] of Object.entries({ viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", class: "spark" })) node.setAttribute(k, v);
  const [axis, area, line] = ["axis", "area", "line"].map((name) => {
    const path = document.createElementNS(svg, "path");
    path.setAttribute("class", name);
    node.append(path);
    return path;
  });
  axis.setAttribute("d", `M0,${height - 0.5}H${width}`);
  const draw = (points, value, write) => {
    const most = Math.max(0, ...points.map((p) => value(p) ?? 0));
    const runs = runsOf(points, value, most);
    mark(line, "d", runs.map((run) => `M${run.join("L")}`).join(""));
    mark(area, "d", runs.map((run) => `M${run[0].split(",")[0]},${height}L${run.join("L")}L${run.at(-1).split(",")[0]},${height}Z`).join(""));
    mark(node, "aria-label", points.length === 0 ? "no history yet" : `last 15 minutes: at most ${write(most)}`);
  };
  return { node, draw };
}

/** runsOf is the places of the points as "x,y", cut where there is a gap. */
function runsOf(points, value, most) {
  if (points.length === 0) return [];
  const end = points.at(-1).time;
  const runs = [];
  let last = -Infinity;
  for (const p of points) {
    const v = value(p);
    if (v === undefined) continue;
    if (p.time - last > gap) runs.push([]);
    last = p.time;
    const x = width * (1 - (end - p.time) / minutes);
    const y = height - 1 - (most > 0 ? (v / most) * (height - 3) : 0);
    runs.at(-1).push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  return runs;
}

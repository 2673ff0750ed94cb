// The figures for all of Sluice, each with its last 15 minutes.

import { byId, el, say } from "./dom.js";
import { spark } from "./spark.js";
import * as units from "./units.js";

/** tiles says what is shown: figure and note are made from what is known, the trend from a point. */
const tiles = [
  {
    name: "Sessions",
    figure: ({ status }) => units.count(status.sessions.open),
    note: ({ status }) => `room for ${units.count(status.sessions.capacity)}`,
    value: (p) => p.sessions,
    write: (n) => units.count(n),
  },
  {
    name: "New sessions",
    figure: ({ rates }) => units.perSecond(rates.get("total").begun),
    note: ({ status }) => `${units.count(status.sessions.ended)} ended`,
    value: (p) => p.begun,
    write: units.perSecond,
  },
  {
    name: "From clients",
    figure: ({ rates }) => units.rate(rates.get("total").in),
    note: ({ status }) => `${units.size(status.bytes.in)} in all`,
    value: (p) => p.in,
    write: units.rate,
  },
  {
    name: "To clients",
    figure: ({ rates }) => units.rate(rates.get("total").out),
    note: ({ status }) => `${units.size(status.bytes.out)} in all`,
    value: (p) => p.out,
    write: units.rate,
  },
];

let made = null;

/** show draws the tiles. */
export function show(known) {
  made ??= tiles.map(make);
  for (const update of made) update(known);
}

function make(tile) {
  const [figure, note, most] = [el("p.figure"), el("span"), el("span.most")];
  const { node, draw } = spark();
  byId("overview").append(el("section.tile", {}, el("h2", {}, tile.name), figure, node, el("p.soft", {}, note, most)));
  return (known) => {
    const points = known.trends.get("total") ?? [];
    say(figure, tile.figure(known));
    say(note, tile.note(known));
    say(most, points.length > 1 ? `peak ${tile.write(Math.max(0, ...points.map((p) => tile.value(p) ?? 0)))}` : "");
    draw(points, tile.value, tile.write);
  };
}

// What is known of Sluice, and how old that is. The status is asked for again and again, and at once when an
// event says that something has changed; the history when a sample may have been added.

import { ask, follow, Refused } from "./api.js";
import { ratesOf, trendsOf } from "./rates.js";

const often = 2000; // milliseconds between two statuses
const slowest = 10_000; // between two attempts while there is no answer
const window = 15 * 60_000; // of the history
const maxEvents = 300; // that are shown

/**
 * known is all that there is to show. It is replaced as a whole in parts: whoever keeps one of them has what
 * it was then.
 */
export const known = {
  status: null,
  rates: new Map(), // by key, see rates.js
  trends: new Map(),
  events: [], // the newest first
  lostSince: null, // a Date while Sluice does not answer
  error: "", // why
};

let changed = () => {}; // is called when something is new
let happened = () => {}; // is called with each event that is news
let samples = [];
let base = null; // the status that rates were last known at
let wake = () => {};
let pageBegan = 0; // by the clock of Sluice: what was before is no news

/** run asks for as long as the page is open. */
export async function run(onChange, onNews) {
  changed = onChange;
  happened = onNews;
  watchEvents();
  document.addEventListener("visibilitychange", () => wake());
  for (let failures = 0; ; ) {
    const good = await turn();
    failures = good ? 0 : failures + 1;
    await pause(good ? (known.rates.get("total")?.in === undefined ? often / 2 + 100 : often) : Math.min(slowest, 1000 * failures));
    while (document.hidden) await pause(60_000);
  }
}

/** refresh asks now. */
export const refresh = () => wake();

/** pause waits, but not when there is news. */
function pause(time) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, time);
  });
}

/** turn asks once; false if there was no answer. */
async function turn() {
  try {
    const status = await ask("GET", "/api/v1/status");
    const restarted = known.status && known.status.started !== status.started;
    if (restarted) [samples, known.events, base] = [[], [], null];
    learnRates(status);
    pageBegan ||= new Date(status.time).getTime();
    known.status = status;
    await learnHistory();
    [known.lostSince, known.error] = [null, ""];
  } catch (error) {
    known.lostSince ??= new Date();
    known.error = error instanceof Refused ? error.message : error.name === "TimeoutError" ? "not in time" : "no connection";
  }
  changed();
  return known.lostSince === null;
}

/** learnRates compares with a status that is old enough: two in quick succession say little of rates. */
function learnRates(status) {
  if (base && new Date(status.time) - new Date(base.time) < often / 2) return;
  known.rates = ratesOf(base, status);
  base = status;
}

/** learnHistory adds the samples since the last one. */
async function learnHistory() {
  const last = samples.at(-1)?.time;
  const fresh = await ask("GET", `/api/v1/history${last ? `?after=${encodeURIComponent(last)}` : ""}`);
  if (fresh.samples.length === 0) return;
  const oldest = new Date(fresh.samples.at(-1).time).getTime() - window;
  samples = [...samples, ...fresh.samples].filter((s) => new Date(s.time).getTime() >= oldest);
  known.trends = trendsOf(samples);
}

/** watchEvents follows the events, from where the last stream ended. */
async function watchEvents() {
  for (;;) {
    try {
      await follow(known.events[0]?.id ?? 0, learnEvent);
    } catch {
      // run finds out whether Sluice is gone; this stream is begun again in any case
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function learnEvent(event) {
  known.events = [event, ...known.events].slice(0, maxEvents);
  if (pageBegan === 0 || new Date(event.time).getTime() < pageBegan) {
    changed();
    return;
  }
  happened(event);
  wake();
}

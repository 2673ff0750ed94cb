// Rates are differences of what was counted. A counter that goes back has begun anew: its rate is not known.

const difference = (before, after, seconds) => (after < before ? undefined : (after - before) / seconds);

/** between is the rates of two counts: {in, out, begun}, each a second. before may be undefined. */
function between(before, after, seconds) {
  if (before === undefined || seconds <= 0) return {};
  return {
    in: difference(before.in, after.in, seconds),
    out: difference(before.out, after.out, seconds),
    begun: difference(before.begun, after.begun, seconds),
  };
}

/** counts is what a status counted, by key. */
function counts(status) {
  const all = new Map();
  const put = (key, { in: i, out }, begun) => all.set(key, { in: i, out, begun });
  put("total", status.bytes, status.sessions.ended + status.sessions.open);
  for (const ln of status.listeners) put(listenerKey(ln), ln.bytes, ln.ended + ln.sessions);
  for (const p of status.pools) {
    for (const n of p.nodes) put(nodeKey(n.pool, n.name), n.bytes, n.picks);
  }
  return all;
}

export const listenerKey = (ln) => `listener ${ln.name}`;
export const nodeKey = (pool, name) => `node ${pool} ${name}`;

/** ratesOf is the rates between two statuses, by key; the one before may be null. */
export function ratesOf(before, after) {
  const seconds = before ? (new Date(after.time) - new Date(before.time)) / 1000 : 0;
  const old = before ? counts(before) : new Map();
  const rates = new Map();
  for (const [key, now] of counts(after)) rates.set(key, between(old.get(key), now, seconds));
  return rates;
}

/**
 * trendsOf turns the samples of the history into points {time, sessions, in, out, begun}, by key: "total",
 * "pool NAME", "node POOL NAME".
 */
export function trendsOf(samples) {
  const trends = new Map();
  const last = new Map();
  const put = (time, key, sessions, now) => {
    const before = last.get(key);
    last.set(key, { time, ...now });
    if (!trends.has(key)) trends.set(key, []);
    trends.get(key).push({ time, sessions, ...between(before, now, before ? (time - before.time) / 1000 : 0) });
  };
  for (const s of samples) {
    const time = new Date(s.time).getTime();
    put(time, "total", s.sessions, { ...s.bytes, begun: s.ended + s.sessions });
    for (const p of s.pools) {
      put(time, `pool ${p.name}`, p.sessions, p.bytes);
      for (const n of p.nodes) put(time, nodeKey(p.name, n.name), n.sessions, n.bytes);
    }
  }
  return trends;
}

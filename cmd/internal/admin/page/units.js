// How figures are written, in the same words as the commands use.

const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/** size is a number of bytes with two digits at least: 999 B, 1.5 MiB, 123 GiB. */
export function size(n) {
  if (n < 1000) return `${Math.round(n)} B`;
  let i = -1;
  do {
    n /= 1024;
    i++;
  } while (n >= 999.5 && i < units.length - 1);
  return `${n < 9.95 ? n.toFixed(1) : n.toFixed(0)} ${units[i]}`;
}

/** rate is bytes in a second; undefined is not known yet. */
export const rate = (n) => (n === undefined ? "–" : `${size(n)}/s`);

/** perSecond is a number of things in a second. */
export function perSecond(n) {
  if (n === undefined) return "–";
  return `${n < 9.95 && n > 0 ? n.toFixed(1) : count(Math.round(n))}/s`;
}

/** count is a number with its thousands apart: 12,345. */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** counted is a number of things: "1 session", "2,000 sessions". */
export const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** age is a time in the two largest units that say something: 12s, 3m 4s, 5h 12m, 2d 3h. */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

/** ms is a latency. */
export function ms(seconds) {
  const n = seconds * 1000;
  if (n === 0) return "0 ms";
  if (n < 10) return `${n.toFixed(2)} ms`;
  if (n < 1000) return `${n.toFixed(0)} ms`;
  return `${seconds.toFixed(1)} s`;
}

/** msPair is two latencies, with one unit if they have the same. */
export function msPair(a, b) {
  const [first, second] = [ms(a), ms(b)];
  const unit = second.slice(second.indexOf(" "));
  return `${first.endsWith(unit) ? first.slice(0, -unit.length) : first} / ${second}`;
}

/** clock is a time of day, as the reader's machine has it. */
export const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** day is a date without a time. */
export const day = (date) => date.toLocaleDateString("sv"); // as ISO 8601 has it

/**
 * plain is a text from outside with whatever is invisible in it, or changes the direction of writing, written
 * out.
 */
export const plain = (text) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

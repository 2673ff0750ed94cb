// What is said aloud to those who listen to the page instead of looking at it.

import { byId, say } from "./dom.js";

const together = 500; // milliseconds: what comes within is said at once

let waiting = [];

/** news says a text. */
export function news(text) {
  waiting.push(text);
  if (waiting.length > 1) return;
  setTimeout(() => {
    say(byId("news"), waiting.join(". "));
    waiting = [];
  }, together);
}

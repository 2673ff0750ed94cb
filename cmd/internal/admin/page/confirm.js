// The dialog that says what will happen, and asks.

import { byId, el, mark, say, show } from "./dom.js";

const dialog = byId("confirm");
const [title, body, error, cancel, act] = ["title", "body", "error", "cancel", "act"].map((name) => byId(`confirm-${name}`));

let current = null; // the question that is open
let opener = null; // what had the focus before
let section = null; // in which that is

/**
 * confirm asks one question at a time. What:
 *
 *   title   the question
 *   action  the word on the button
 *   danger  whether what it does cannot be undone
 *   fill    (dialog) => promise: shows what will happen, with the functions below; the button works when it is done
 *   run     () => promise: does it. If that fails the dialog says why and stays.
 */
export async function confirm(what) {
  const [facts, choices] = [el("div"), el("div")];
  const question = {
    fact: (text, tone = "none") => {
      const line = el("p.fact", { "data-tone": tone }, text);
      facts.append(line);
      return line;
    },
    choice: (box, text) => choices.append(el("label.choice", {}, box, text)),
    word: (text, danger) => {
      say(act, text);
      mark(act, "data-danger", danger ? "" : undefined);
    },
    allow: (may) => (act.disabled = !may),
    open: () => current === question,
    what,
  };
  current = question;
  say(title, what.title);
  body.replaceChildren(facts, choices);
  show(error, false);
  question.word(what.action, what.danger);
  question.allow(false);
  opener = document.activeElement;
  section = opener.closest("section");
  dialog.showModal();
  cancel.focus();
  if ((await what.fill(question)) !== false && question.open()) question.allow(true);
}

dialog.addEventListener("close", () => {
  current = null;
  giveBack();
});
cancel.addEventListener("click", () => dialog.close());
dialog.querySelector("form").addEventListener("submit", async (e) => {
  e.preventDefault();
  const question = current;
  question.allow(false);
  show(error, false);
  try {
    await question.what.run();
    if (question.open()) dialog.close();
  } catch (why) {
    if (!question.open()) return;
    say(error, why.message);
    show(error, true);
    question.allow(true);
  }
});

/** giveBack puts the focus beside what had it before, where that is gone by now; else the browser has put it there. */
function giveBack() {
  if (opener.isConnected && opener.checkVisibility()) return;
  const beside = opener.isConnected && opener.parentElement.querySelector("button:not([hidden])");
  (beside || section?.querySelector("h2"))?.focus();
}

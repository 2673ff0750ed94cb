// The dialog that asks for the token of the API.

import { byId, show } from "./dom.js";

const dialog = byId("token");

let pending = false;

dialog.addEventListener("close", () => pending && dialog.showModal()); // without it there is nothing to see

/** wantToken asks for the token; wrong says that there was one. */
export function wantToken(wrong) {
  const text = byId("token-text");
  text.value = "";
  show(byId("token-wrong"), wrong);
  pending = true;
  dialog.showModal();
  return new Promise((resolve) => {
    const done = () => {
      pending = false;
      resolve(text.value);
    };
    dialog.querySelector("form").addEventListener("submit", done, { once: true });
  });
}

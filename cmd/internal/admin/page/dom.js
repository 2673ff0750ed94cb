// Building and updating elements. Text is only ever set as text, so whatever a client of Sluice sends is
// shown and never read as HTML.

/** byId finds an element of index.html. */
export const byId = (id) => document.getElementById(id);

/**
 * el makes an element: el("td.num", {title: "..."}, "text", other). Attributes that are undefined or false
 * are left out.
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length > 0) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** say sets the text of an element, if it has another. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** mark sets an attribute, if it has another value; undefined takes it away. */
export function mark(node, name, value) {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** show makes an element visible or not. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/**
 * keyed keeps one child of parent for each item of a list, and returns the function that is given the list.
 * make(item) returns {node, update(item)}; children stay what they are while their key is there, and so do
 * the keyboard's focus and the reader's place.
 */
export function keyed(parent, keyOf, make) {
  const known = new Map();
  return (items) => {
    const keys = new Set(items.map(keyOf));
    for (const [key, child] of known) {
      if (keys.has(key)) continue;
      known.delete(key);
      remove(child.node);
    }
    let at = parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      if (!known.has(key)) known.set(key, make(item));
      const { node, update } = known.get(key);
      update(item);
      if (node === at) at = at.nextElementSibling;
      else if (node.isConnected && parent.moveBefore) parent.moveBefore(node, at); // keeps the focus
      else parent.insertBefore(node, at);
    }
  };
}

/** remove takes an element away; if it has the focus, that goes to the heading of its section. */
function remove(node) {
  const section = node.parentElement.closest("section");
  const focused = node.contains(document.activeElement);
  node.remove();
  if (focused) section?.querySelector("h2")?.focus({ preventScroll: true });
}

/**
 * row makes a table row from [label, name of its element] pairs. The labels are shown beside the cells where
 * the screen is too narrow for a table. Roles are given, since styles that are not those of tables take them away.
 */
export function row(...cells) {
  const made = cells.map(([label, name]) =>
    el(name, { "data-label": label, role: name.startsWith("th") ? "rowheader" : "cell", scope: name.startsWith("th") ? "row" : undefined }));
  return { node: el("tr", { role: "row" }, ...made), cells: made };
}

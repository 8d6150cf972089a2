/** Views in the address: `#/groups?queue=chat.*`, `#/letters/3f9a…`. */

/** The address of a view. */
export function hashOf(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const asked = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${asked ? `?${asked}` : ""}`;
}

/** What the address says: `{path: ["letters", "3f9a"], query: {…}}`. */
export function route(hash = location.hash) {
  const [path, asked = ""] = hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").map(decoded).filter(Boolean), query: Object.fromEntries(new URLSearchParams(asked)) };
}

/** Change the query of the view that is shown, without a step in the browser's history. */
export function requery(query) {
  location.replace(hashOf(route().path, query));
}

/** Change it with such a step: to another page of a list. */
export function turn(query) {
  location.hash = hashOf(route().path, query);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

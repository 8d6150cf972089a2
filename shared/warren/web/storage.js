/** JSON in the browser's storage. Where storage is forbidden, values live as long as the page. */

function shelf(open) {
  const memory = new Map();
  const key = (name) => `warren.${name}`;
  return {
    get(name, fallback = null) {
      try {
        return JSON.parse(open().getItem(key(name))) ?? memory.get(name) ?? fallback;
      } catch {
        return memory.get(name) ?? fallback;
      }
    },
    set(name, value) {
      memory.set(name, value);
      try {
        open().setItem(key(name), JSON.stringify(value));
      } catch {
        // Full or forbidden: the copy in memory serves this page.
      }
    },
    remove(name) {
      memory.delete(name);
      try {
        open().removeItem(key(name));
      } catch {
        // As above.
      }
    },
  };
}

/** Kept by the browser for all tabs. */
export const lasting = shelf(() => localStorage);

/** Kept for this tab, over reloads. */
export const perTab = shelf(() => sessionStorage);

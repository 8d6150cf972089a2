/** The room in the address: `#/room/<encoded name>`. */

const PREFIX = "#/room/";

/** The address of a room. */
export const hashOf = (room) => PREFIX + encodeURIComponent(room);

/** The room that the address names, or null. */
export function roomInAddress(hash = location.hash) {
  if (!hash.startsWith(PREFIX)) return null;
  try {
    return roomName(decodeURIComponent(hash.slice(PREFIX.length)));
  } catch {
    return null;
  }
}

/** A room's or person's name as the server takes it (1 to 64 characters, none of control), or null. */
export function roomName(text) {
  const name = text.trim();
  const proper = name && [...name].length <= 64 && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name);
  return proper ? name : null;
}

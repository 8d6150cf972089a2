/* Shows the frame of the page before its modules are there, and make its fields writable: the room for who has a session,
   else the welcome. */
(() => {
  let session = null;
  try {
    session = localStorage.getItem("warren.session");
  } catch {
    // Forbidden storage: the visit begins with the welcome.
  }
  document.getElementById(session ? "shell" : "welcome").hidden = false;
})();

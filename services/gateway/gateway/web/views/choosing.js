/** Where nothing hovers, a tap on a message shows what can be done with it, and the next tap hides that again. */

/** Make it work for the messages in `list`. */
export function setUpChoosing(list) {
  list.addEventListener("click", (event) => {
    const tapped = event.target.closest("a, button") ? null : event.target.closest(".msg");
    for (const other of list.querySelectorAll(".chosen")) if (other !== tapped) other.classList.remove("chosen");
    tapped?.classList.toggle("chosen");
  });
}

/** The first thing one sees without a token, or with one that has no name. */

import { forget, identify, keepName, keepToken, lacksName, token } from "../session.js";
import { $, setText } from "../shared/dom.js";
import { perTab } from "../shared/storage.js";

const ASK_TOKEN = "Enter your token. `warren dlq page` prints this address with one in it.";
const ASK_NAME = "Who are you? Your name stands beside what you decide.";

/** Find out who is here, asking as little as possible; then call `enter`. */
export async function signIn(enter) {
  $("welcome-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(enter);
  });
  const why = perTab.get("desk.why");
  perTab.remove("desk.why");
  if (token()) await tryToken(enter);
  else show(ASK_TOKEN, "token", why ?? "");
}

async function submit(enter) {
  const [given, name] = [$("token-input").value.trim(), $("name-input").value.trim()];
  if (!$("name-field").hidden) {
    if (!name) return show(ASK_NAME, "name", "Please say who you are.");
    keepName(name);
  } else {
    if (!given) return show(ASK_TOKEN, "token", "A token is needed.");
    keepToken(given);
  }
  return tryToken(enter);
}

async function tryToken(enter) {
  $("welcome-enter").disabled = true;
  try {
    await identify();
    if (lacksName()) return show(ASK_NAME, "name");
    $("welcome").hidden = true;
    return enter();
  } catch (error) {
    if ([401, 403].includes(error.status)) forget();
    return show(ASK_TOKEN, "token", `${error.message}.`);
  } finally {
    $("welcome-enter").disabled = false;
  }
}

function show(hint, field, problem = "") {
  $("welcome").hidden = false;
  setText($("welcome-hint"), hint);
  setText($("welcome-error"), problem);
  $("token-field").hidden = field !== "token";
  $("name-field").hidden = field !== "name";
  $(`${field}-input`).focus();
}

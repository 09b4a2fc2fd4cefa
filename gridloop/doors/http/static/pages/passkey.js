/* Passkeys on the log-in pages. A button with data-passkey says what it is for: login, authenticate, reauthenticate, add, rename, remove.
   Everything else on these pages works without scripts; without this one the buttons stay hidden. */
"use strict";

const API = "/_allauth/browser/v1/";
const WHERE = {
  login: "auth/webauthn/login",
  authenticate: "auth/webauthn/authenticate",
  reauthenticate: "auth/webauthn/reauthenticate",
  add: "account/authenticators/webauthn?passwordless",
  remove: "account/authenticators/webauthn",
};

const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** The server's options: what is base64url in JSON is bytes for the browser. */
function unpacked(options) {
  const key = { ...options.publicKey, challenge: toBytes(options.publicKey.challenge) };
  if (key.user) key.user = { ...key.user, id: toBytes(key.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) if (key[list]) key[list] = key[list].map((c) => ({ ...c, id: toBytes(c.id) }));
  return { publicKey: key };
}

/** The browser's answer as JSON. */
function packed(credential) {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (credential.response[part]) response[part] = toText(credential.response[part]);
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response, clientExtensionResults: credential.getClientExtensionResults() };
}

async function call(method, path, body) {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  const answer = await fetch(API + path, {
    method,
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.errors?.[0]?.message ?? ""), { status: answer.status, code: told.errors?.[0]?.code });
  return told.data;
}

/** A dialog of the page; true unless it was left by Escape or the button that cancels. */
async function agreed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "yes";
}

/** What somebody changes their mind about is `null`: nothing was done, and there is nothing to tell. */
async function asked(button) {
  const dialog = document.getElementById(`passkey_ask_${button.dataset.passkey}`);
  if (!dialog) return "";
  const name = document.getElementById("passkey_new");
  const sure = document.getElementById("passkey_sure");
  name.value = button.dataset.name;
  sure.textContent = `${sure.dataset.sure.replace("{name}", () => button.dataset.name)}${sure.dataset.last ?? ""}`;
  return (await agreed(dialog)) ? name.value.trim() || button.dataset.name : null;
}

async function run(button, name) {
  const kind = button.dataset.passkey;
  if (kind === "rename") return call("PUT", WHERE.remove, { id: Number(button.value), name });
  if (kind === "remove") return call("DELETE", WHERE.remove, { authenticators: [Number(button.value)] });
  const options = await call("GET", WHERE[kind]);
  if (kind === "add") {
    const credential = await navigator.credentials.create(unpacked(options.creation_options));
    return call("POST", WHERE.remove, { name: document.getElementById("passkey_name").value.trim() || button.dataset.name, credential: packed(credential) });
  }
  const credential = await navigator.credentials.get(unpacked(options.request_options));
  return call("POST", WHERE[kind], { credential: packed(credential) });
}

/** What to tell: a closed window of the browser is no fault to explain at length, and the browser's own words are English. */
function sentence(error, words) {
  if (error.status === 429) return words.many;
  if (error.name === "NotAllowedError") return words.cancelled;
  if (error.name === "InvalidStateError") return words.known;
  if (error instanceof TypeError) return words.offline;
  if (error instanceof DOMException || error.code === "incorrect_code") return words.failed; // it is no code that anybody typed
  return error.message || words.failed; // refusals come with the server's own words
}

async function pressed(button) {
  const told = document.getElementById("passkey_told");
  told.hidden = true;
  const name = await asked(button);
  if (name === null) return button.focus();
  button.disabled = true;
  try {
    await run(button, name);
    location.assign(button.dataset.next || location.href);
  } catch (error) {
    told.textContent = sentence(error, told.dataset);
    told.hidden = false;
  } finally {
    button.disabled = false;
  }
}

if (globalThis.PublicKeyCredential) {
  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = false;
    button.addEventListener("click", () => void pressed(button));
  }
}

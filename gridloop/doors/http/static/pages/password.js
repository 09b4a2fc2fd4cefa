/* What is typed into a field of a password can be looked at, and a new one is weighed while it is typed. The words stand in the page's
   body; without scripts the pages work as before. */
"use strict";

const say = document.body.dataset;
const LEAST = 12;

/** 0 to 4: how long it is, and how many different characters stand in it. */
function strength(password) {
  const length = [...password].length;
  if (length < LEAST) return length ? 1 : 0;
  const different = new Set(password.toLowerCase()).size;
  if (different < 6) return 1;
  return length >= 16 && different >= 9 ? 4 : different >= 8 ? 3 : 2;
}

function shown(field) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = say.show;
  button.setAttribute("aria-controls", field.id);
  button.addEventListener("click", () => {
    field.type = field.type === "password" ? "text" : "password";
    button.textContent = field.type === "password" ? say.show : say.hide;
  });
  field.after(button);
  field.form?.addEventListener("submit", () => (field.type = "password")); // no browser keeps it among what was typed
}

function weighed(field) {
  const told = document.createElement("span");
  told.className = "quiet";
  told.setAttribute("role", "status");
  const meter = document.createElement("meter");
  Object.assign(meter, { min: 0, max: 4, low: 2, high: 3, optimum: 4, value: 0 });
  meter.setAttribute("aria-hidden", "true"); // the words beside it say the same
  field.parentElement.append(meter, " ", told);
  field.addEventListener("input", () => {
    meter.value = strength(field.value);
    told.textContent = field.value ? say.strength.split(",")[meter.value - 1] : "";
  });
}

for (const field of document.querySelectorAll("input[type=password]")) {
  if (field.name === "password1") weighed(field);
  shown(field);
}

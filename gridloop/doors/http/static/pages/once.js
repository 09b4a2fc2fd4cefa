/* A form of these pages is sent once: the second click of two would be answered instead of the first, and say that the old password
   is wrong because it has just been changed. Without scripts the pages work as before. */
"use strict";

document.addEventListener("submit", (event) => {
  const { dataset, method } = event.target;
  if (method === "dialog") return; // it only closes, and may be asked again
  if (dataset.sent) event.preventDefault();
  dataset.sent = "yes";
});

// The browser's way back shows the page as it was left.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// The little that every page needs: menus that close themselves, buttons that copy.
"use strict";

// Filters of a list open one at a time and close at a click beside them or at Escape.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu-details[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.menu-details[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// <button data-copy="#id">: copies the text of that element and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected; copy with Ctrl+C";
  }
});

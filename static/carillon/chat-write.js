// The reply box: Enter sends, Shift+Enter breaks the line, and what was typed stays until it has
// arrived. The form's token says which message it is, so that a repeated one is taken once.
"use strict";
{
  const PATIENCE = 10000; // ms until an answer is given up
  const NEAR = 200; // characters to the limit from which they are counted
  const LATER = "Not sent, try again.";
  const KEYS = "Enter sends, Shift+Enter begins a new line.";

  const form = document.getElementById("say");
  const box = form.elements.text;
  const button = document.getElementById("say-send");
  const problem = document.getElementById("say-problem");
  const help = document.getElementById("say-help");
  const limit = Number(form.dataset.limit);
  let busy = false;

  const whole = (number) => number.toLocaleString("en");

  function tell(words) {
    problem.textContent = words;
    problem.hidden = !words;
  }

  function count() {
    const length = [...box.value.trim()].length; // characters, as the server counts them
    const over = length > limit;
    help.textContent = length > limit - NEAR ? `${whole(length)} of ${whole(limit)} characters` : KEYS;
    help.classList.toggle("is-over", over);
    box.setAttribute("aria-invalid", over);
  }

  function wait(on) {
    busy = on;
    button.setAttribute("aria-disabled", on);
    button.textContent = on ? "Sending" : "Send";
  }

  async function send() {
    const typed = box.value;
    if (busy || !typed.trim()) return;
    const body = new URLSearchParams(new FormData(form));
    const signal = AbortSignal.timeout(PATIENCE);
    wait(true);
    let words = LATER;
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch("say", { method: "POST", headers, body, signal });
      if (answer.status === 404) {
        words = "Not sent: this link has ended.";
      } else {
        const told = await answer.json();
        words = told.problem;
        form.elements.token.value = told.token;
      }
    } catch {
      // No answer, or none of ours: it may have arrived, so the token stays.
    }
    wait(false);
    tell(words);
    if (words) return;
    // What was typed meanwhile stays.
    if (box.value.startsWith(typed)) box.value = box.value.slice(typed.length);
    count();
    document.dispatchEvent(new Event("chat-said"));
  }

  form.noValidate = true; // an empty box is no mistake here: Enter does nothing
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  box.addEventListener("keydown", (event) => {
    const writing = event.isComposing || event.keyCode === 229; // Safari says so by the number
    if (event.key !== "Enter" || event.shiftKey || writing) return;
    event.preventDefault();
    if (!event.repeat) form.requestSubmit();
  });
  box.addEventListener("input", () => {
    count();
    tell("");
  });

  help.hidden = false;
  count();
}

// What composing needs beyond htmx: inserting variables, pasted lists, Enter, one press is one
// press, and nothing typed gets lost.
"use strict";
{
  const form = document.getElementById("compose");
  const store = (key) => `carillon-compose:${key}`;

  // A notification that is kept needs no memory of what was typed for it.
  const kept = document.querySelector("[data-composed]")?.dataset.composed;
  if (kept) sessionStorage.removeItem(store(kept));

  const told = (element) => element.dispatchEvent(new Event("input", { bubbles: true }));

  document.addEventListener("click", (event) => {
    const variable = event.target.closest("[data-insert]");
    if (variable) {
      const json = document.getElementById("source");
      const box = lastBox?.isConnected ? lastBox : json || document.getElementById("text");
      box.focus();
      box.setRangeText(variable.dataset.insert, box.selectionStart, box.selectionEnd, "end");
      told(box);
    }
    const option = event.target.closest("[data-fill]");
    if (option) {
      document.querySelector(option.dataset.fill).value = option.dataset.value;
      option.closest(".found").replaceChildren();
    }
    for (const found of document.querySelectorAll(".found:not(:empty)")) {
      if (!found.parentElement.contains(event.target)) found.replaceChildren();
    }
  });

  let lastBox = null;
  form?.addEventListener("focusin", (event) => {
    if (event.target.matches("#editor :is(textarea, input:not([type=hidden]))")) lastBox = event.target;
  });

  // A list that is pasted into the search goes into the list, its line ends with it.
  form?.addEventListener("paste", (event) => {
    if (event.target.id !== "find") return;
    const text = event.clipboardData.getData("text/plain");
    if (!/[,\n\t]/.test(text.trim())) return;
    event.preventDefault();
    const list = document.getElementById("contacts");
    list.value = `${list.value.trimEnd()}\n${text}`.trimStart();
    told(list);
    list.closest("details").open = true;
  });

  // Enter in a field sends nothing; in the search it takes what was found first, or what stands there.
  form?.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key === "Escape") field.closest(".find")?.querySelector(".found")?.replaceChildren();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") moveInFound(event);
    if (event.key !== "Enter" || !field.matches("input:not([type=submit])")) return;
    event.preventDefault();
    const box = field.closest(".find");
    const first = box?.querySelector(".option");
    if (first) first.click();
    else if (field.id === "find" && field.value.trim()) box.querySelector("[name=add_found]").click();
  });
  function moveInFound(event) {
    const box = event.target.closest(".find");
    const options = box ? [...box.querySelectorAll(".option")] : [];
    if (!options.length) return;
    event.preventDefault();
    const at = options.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    (options[at] || box.querySelector("input")).focus();
  }

  // A template of another kind is let go when the kind changes, and a template brings its kind.
  form?.addEventListener("change", (event) => {
    const select = document.getElementById("template");
    const kind = select.selectedOptions[0]?.closest("optgroup")?.dataset.kind;
    if (event.target.name === "kind" && kind && kind !== event.target.value) {
      select.value = "";
      told(select);
    } else if (event.target === select && kind) {
      form.querySelector(`[name="kind"][value="${kind}"]`).checked = true;
    }
  });

  if (form) {
    const key = form.elements.key.value;
    let dirty = Boolean(document.getElementById("problems"));
    let leaving = false;

    const remember = () => {
      const typed = [...new FormData(form)].filter(([name]) => !/^(csrfmiddlewaretoken|find|preview_find)$/.test(name));
      try {
        sessionStorage.setItem(store(key), JSON.stringify(typed));
      } catch {
        sessionStorage.removeItem(store(key)); // too much to remember
      }
    };
    form.addEventListener("input", () => { dirty = true; remember(); });

    form.addEventListener("submit", (event) => {
      if (event.submitter?.formTarget === "_blank") return;
      if (leaving) { event.preventDefault(); return; } // one press is one press
      if (dirty) remember();
      leaving = true;
      form.classList.add("is-sent");
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      leaving = false; // back again; the key still makes sure that nothing is sent twice
      form.classList.remove("is-sent");
    });
    addEventListener("beforeunload", (event) => {
      if (dirty && !leaving) event.preventDefault();
    });

    // What was typed and never kept: a session that ended, a page that was closed too soon. A
    // draft's digest tells whether it was kept since.
    const seen = form.elements.seen.value;
    const memories = Object.keys(sessionStorage)
      .filter((name) => name.startsWith(store("")))
      .map((name) => ({ name, typed: JSON.parse(sessionStorage.getItem(name)) }))
      .map((each) => ({ ...each, seen: (each.typed.find(([field]) => field === "seen") || [])[1] || "" }));
    const shown = Boolean(document.getElementById("problems"));
    let lost = null;
    for (const each of memories) {
      if (each.name === store(key) ? each.seen !== seen : shown && !each.seen) sessionStorage.removeItem(each.name);
      else if (!shown && each.seen === seen && (each.name === store(key) || !seen)) lost = each;
    }
    const offer = document.getElementById("restore");
    if (lost) {
      offer.hidden = false;
      offer.addEventListener("click", (event) => {
        if (event.target.id === "restore-yes") restore(lost.typed);
        if (event.target.matches("button")) { sessionStorage.removeItem(lost.name); offer.hidden = true; }
      });
    }
    if (shown) remember();
    // Posted as it was, to be drawn anew by the server with everything in its place.
    const restore = (typed) => {
      const again = document.createElement("form");
      again.method = "post";
      again.hidden = true;
      const token = form.elements.csrfmiddlewaretoken.value;
      for (const [name, value] of [...typed, ["csrfmiddlewaretoken", token], ["action", "check"]]) {
        const field = document.createElement("textarea");
        field.name = name;
        field.value = value;
        again.append(field);
      }
      document.body.append(again);
      leaving = true;
      again.submit();
    };
    document.getElementById("problems")?.focus();
  }

  // What could not be worked out says so instead of standing still.
  const say = (words) => {
    const place = document.getElementById("content-notes");
    if (!form || !place) return false;
    const note = document.createElement("p");
    note.className = "errors";
    note.textContent = words;
    place.replaceChildren(note);
    return true;
  };
  document.addEventListener("htmx:responseError", (event) => {
    const words = {
      400: "This is too long to be looked at.",
      403: "You are signed out, or may not do this. What you typed is offered again after you signed in.",
    };
    say(words[event.detail.xhr.status] || "This could not be looked at just now.");
  });
  document.addEventListener("htmx:sendError", () => say("Carillon can't be reached just now; what you typed stays here."));
  // Signed out meanwhile: the sign-in page is no part of this one.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!new URL(event.detail.xhr.responseURL).pathname.endsWith("/login/")) return;
    event.detail.shouldSwap = false;
    if (!say("You are signed out. What you typed is offered again after you signed in.")) location.reload();
  });
}

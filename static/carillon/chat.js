// The chat page, live: looks for new messages while the tab is seen, marks what was shown as
// read, counts the rest in the title and tells times in the reader's own zone.
"use strict";
{
  const POLL = 1000; // ms between looks
  const UNSEEN = 60000; // ms while the tab is hidden: only for the number in its title
  const SLOWEST = 30000; // ms between looks while the server can't be reached
  const FADE = 4000; // ms that a message stays marked once it was seen
  const KEPT = 300; // messages in the page; older ones are loaded again on demand

  const byId = (id) => document.getElementById(id);
  const list = byId("messages");
  const live = byId("poll") !== null;
  const name = document.title.replace(/^\(\d+\+?\) /, "");
  let misses = 0;
  let timer;
  let ended = false;
  let pinned = true; // the reader is at the newest message: stay there
  let looking = false;
  let again = false; // there is something already that the look under way may have missed

  // --- looking for new messages -----------------------------------------------------------------
  function plan(wait) {
    clearTimeout(timer);
    if (live && !ended) timer = setTimeout(() => htmx.trigger(byId("poll"), "poll"), wait);
  }

  // The reader has said something: what it looks like comes with all else that is new.
  document.addEventListener("chat-said", () => {
    pinned = true;
    again = looking;
    if (!looking) plan(0);
  });

  document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.requestConfig.path.startsWith("new?")) looking = true;
  });

  function tell(word, state) {
    const line = byId("chat-state");
    if (line.textContent === word) return;
    line.textContent = word;
    line.className = `state state-${state}`;
    line.hidden = false;
  }

  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.requestConfig.path.startsWith("new?")) return;
    const status = detail.xhr.status;
    looking = false;
    ended = status === 404;
    misses = status >= 200 && status < 300 ? 0 : misses + 1;
    if (ended) tell("This link has ended", "cancelled");
    else if (misses) tell("Not connected, trying again", "expired");
    else tell("Live", "delivered");
    plan(again ? 0 : document.hidden ? UNSEEN : Math.min(POLL * 2 ** misses, SLOWEST));
    again = false;
  });

  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target === list && document.hidden) divide();
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target !== list) return;
    place();
    if (pinned) thin();
    byId("chat-newest").hidden = pinned;
    if (pinned) toNewest();
    read();
  });

  // Above what comes while nobody looks.
  function divide() {
    byId("chat-divider")?.remove();
    const divider = document.createElement("li");
    divider.id = "chat-divider";
    divider.className = "chat-divider";
    divider.append(Object.assign(document.createElement("span"), { textContent: "New" }));
    if (!list.querySelector(".chat-message[data-unread]")) list.append(divider);
    else list.querySelector(".chat-message[data-unread]").before(divider);
  }

  function thin() {
    const messages = list.querySelectorAll(".chat-message");
    if (messages.length <= KEPT) return;
    for (const old of [...messages].slice(0, messages.length - KEPT / 2)) old.remove();
    const before = `before=${list.querySelector(".chat-message").dataset.id}`;
    let turn = byId("earlier");
    if (!turn) {
      turn = document.createElement("li");
      turn.id = "earlier";
      turn.className = "chat-turn";
      turn.append(document.createElement("a"));
      list.prepend(turn);
    }
    const link = turn.firstElementChild;
    link.className = "btn btn-small";
    link.textContent = "Earlier messages";
    link.href = `?${before}`;
    link.setAttribute("hx-get", `earlier?${before}`);
    link.setAttribute("hx-target", "#earlier");
    link.setAttribute("hx-swap", "outerHTML");
    htmx.process(link);
  }

  // --- read and unread --------------------------------------------------------------------------
  function count() {
    const unread = list.querySelectorAll("[data-unread]").length;
    document.title = unread ? `(${unread}) ${name}` : name;
  }

  async function read() {
    const unread = [...list.querySelectorAll("[data-unread]")].slice(0, 150);
    count();
    if (document.hidden || !unread.length) return;
    const ids = unread.map((message) => message.dataset.id).join(",");
    try {
      const answer = await fetch("read", { method: "POST", body: new URLSearchParams({ ids }) });
      if (!answer.ok) return;
    } catch {
      return; // the next new message, or the next look at the page, tries again
    }
    for (const message of unread) message.removeAttribute("data-unread");
    setTimeout(() => unread.forEach((m) => m.querySelector(".chat-new")?.remove()), FADE);
    read();
  }

  document.addEventListener("visibilitychange", () => {
    place();
    read();
    plan(document.hidden ? UNSEEN : 0);
  });

  // --- where the reader is ----------------------------------------------------------------------
  const page = document.scrollingElement;
  const isAtEnd = () => page.scrollHeight - page.scrollTop - innerHeight < 80;
  const toNewest = () => page.scrollTo({ top: page.scrollHeight });

  let top = 0;
  addEventListener("scroll", () => {
    if (isAtEnd()) pinned = true;
    else if (page.scrollTop < top) pinned = false;
    top = page.scrollTop;
    if (pinned && live) byId("chat-newest").hidden = true;
  }, { passive: true });
  // A picture that arrives makes the page longer, as does a line more in the reply box.
  if (live) {
    const grown = new ResizeObserver(() => pinned && toNewest());
    grown.observe(list);
    grown.observe(byId("chat-foot"));
  }
  byId("chat-newest")?.addEventListener("click", toNewest);

  // What is put above leaves what one was reading where it was.
  let mark;
  let markTop;
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id !== "earlier") return;
    mark = list.querySelector(".chat-message");
    markTop = mark.getBoundingClientRect().top;
  });
  // Before anything is painted; settling comes some frames later.
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (!mark || !detail.requestConfig.path.startsWith("earlier?")) return;
    place();
    page.scrollTop += mark.getBoundingClientRect().top - markTop;
    mark = undefined;
    read();
  });

  // --- times ------------------------------------------------------------------------------------
  const clock = { hour: "2-digit", minute: "2-digit" };
  const day = { weekday: "short", day: "numeric", month: "short" };
  function place() {
    const now = new Date();
    for (const time of list.querySelectorAll("time")) {
      const then = new Date(time.dateTime);
      const style = { ...clock };
      if (then.toDateString() !== now.toDateString()) Object.assign(style, day);
      if (then.getFullYear() !== now.getFullYear()) style.year = "numeric";
      time.textContent = new Intl.DateTimeFormat([], style).format(then);
      time.title = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "long" }).format(then);
    }
  }

  place();
  if (live) {
    history.scrollRestoration = "manual";
    const divider = byId("chat-divider");
    if (divider) divider.scrollIntoView({ block: "start" });
    else toNewest();
    pinned = isAtEnd();
    plan(document.hidden ? UNSEEN : POLL);
  }
  read();
}

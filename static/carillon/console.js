// The agents' console, live: looks each half second for what has changed and puts it in place
// without disturbing what is being read, pressed or typed; sends replies and never loses one.
"use strict";
{
  const POLL = 500; // ms between looks
  const UNSEEN = 3000; // ms while the tab is hidden; the server forgets who is silent for 30 s
  const SLOWEST = 8000; // ms between looks while the server can't be reached
  const PATIENCE = 10000; // ms for an answer
  const TRIES = 3; // of a reply whose fate is not known, under the same id
  const SOON = 15; // minutes before the limit, from which on it is said
  const VERY_SOON = 5;
  const HOUR = 3600000; // ms

  const byId = (id) => document.getElementById(id);
  const root = byId("console");
  const form = byId("reply");
  const box = byId("reply-text");
  const picker = byId("reply-file");
  const menu = byId("replies");
  const scroller = byId("talk-scroll");
  const csrf = byId("deed").elements.csrfmiddlewaretoken.value;
  const fine = matchMedia("(pointer: fine)").matches;

  let session = root.dataset.session;
  let version = root.dataset.version;
  let skew = Date.parse(root.dataset.now) - Date.now(); // of the server's clock against ours
  let misses = 0;
  let looking = false;
  let turn = 0; // counts where the agent asked to go: an older request's answer leads nowhere
  let epoch = 0; // counts what was done: a look that began before it ended shows the past
  let pinned = true; // at the newest message: stay there

  const now = () => Date.now() + skew;
  const urlOf = (uuid) => (uuid ? `?session=${uuid}` : root.dataset.page);
  const sayUrl = (uuid) => form.dataset.action.replace(/00000000-[-0]+/, uuid);

  // --- putting what is new in place -------------------------------------------------------------
  const drawn = new Map(); // what the server sent, by part or item: the page itself changes it
  for (const part of root.parentElement.querySelectorAll("[data-part]")) remember(part);

  function remember(part) {
    if ("messages" in part.dataset) { // of the session that is shown, and of no other
      for (const key of drawn.keys()) if (key.startsWith("m-")) drawn.delete(key);
    }
    if ("list" in part.dataset || "messages" in part.dataset) {
      for (const item of part.querySelectorAll("li[id]")) drawn.set(item.id, item.outerHTML);
    } else drawn.set(part.dataset.part, part.innerHTML);
  }

  function take(html, { jump = false, push = jump } = {}) {
    const answer = new DOMParser().parseFromString(html, "text/html").getElementById("answer");
    if (!answer) { // the person is an agent no more
      location.reload();
      return "";
    }
    const moved = answer.dataset.session !== session;
    if (moved) {
      keepDraft();
      session = answer.dataset.session;
      pinned = true;
    }
    version = answer.dataset.version;
    skew = Date.parse(answer.dataset.now) - Date.now();
    const focused = document.activeElement;
    const place = focused?.closest("li[id], [data-part]");
    const key = focused?.dataset.key;
    for (const fresh of answer.querySelectorAll("[data-part]")) {
      const part = document.querySelector(`#content [data-part="${fresh.dataset.part}"]`);
      if ("list" in fresh.dataset) patchList(part, fresh);
      else if ("messages" in fresh.dataset) patchMessages(part, fresh, moved);
      else if (drawn.get(fresh.dataset.part) !== fresh.innerHTML) {
        drawn.set(fresh.dataset.part, fresh.innerHTML);
        part.replaceChildren(...fresh.childNodes);
      }
    }
    for (const name of ["waits", "unread", "row"]) root.dataset[name] = answer.dataset[name];
    const joined = !root.hasAttribute("data-mine") && "mine" in answer.dataset;
    root.toggleAttribute("data-mine", "mine" in answer.dataset);
    root.dataset.session = byId("deed-session").value = session;
    if (key && !focused.isConnected) refocus(place, key);
    if (moved) {
      history[push ? "pushState" : "replaceState"](null, "", urlOf(session));
      show(session ? "talk" : "queue");
      bringDraft();
      showWaitingReplies();
      clock.postMessage(0); // to note at once what is seen now
    }
    placeReply();
    if ((moved || joined) && jump && fine && !form.hidden) box.focus();
    tick();
    settle();
    document.dispatchEvent(new Event("console-news"));
    return answer.dataset.problem || "";
  }

  function refocus(place, key) {
    const where = place.id ? byId(place.id) : document.querySelector(`#content [data-part="${place.dataset.part}"]`);
    where?.querySelector(`[data-key="${key}"]`)?.focus();
  }

  function patchList(list, fresh) {
    const items = [...fresh.children];
    const ids = new Set(items.map((item) => item.id));
    for (const old of [...list.children]) {
      if (ids.has(old.id)) continue;
      drawn.delete(old.id);
      old.remove();
    }
    items.forEach((item, at) => {
      const html = item.outerHTML;
      let node = byId(item.id);
      if (!node || drawn.get(item.id) !== html) {
        drawn.set(item.id, html);
        node?.remove();
        node = item;
      }
      if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
    });
  }

  function patchMessages(part, fresh, moved) {
    const list = byId("messages");
    const source = fresh.querySelector("#messages");
    if (moved || !list || !source) {
      part.replaceChildren(...fresh.childNodes); // a new log, so it is not read out as news
      remember(part);
      return;
    }
    for (const item of [...source.children]) {
      if (!item.dataset.id) continue;
      const html = item.outerHTML;
      const old = byId(item.id);
      if (old && drawn.get(item.id) === html) continue;
      drawn.set(item.id, html);
      byId(`p-${item.dataset.token}`)?.remove();
      if (old) old.replaceWith(item);
      else list.insertBefore(item, list.querySelector(".is-pending"));
    }
  }

  // --- looking ----------------------------------------------------------------------------------
  let clock;
  try {
    clock = new Worker(root.dataset.clock);
    clock.onmessage = look;
  } catch {
    let timer;
    clock = { postMessage: (wait) => { clearTimeout(timer); timer = setTimeout(look, wait); } };
  }

  function plan() {
    const wait = document.hidden ? UNSEEN : POLL;
    clock.postMessage(misses ? Math.min(POLL * 2 ** misses, SLOWEST) : wait);
  }

  // The first message that may still change, else what comes after the last one.
  function since() {
    const list = byId("messages");
    const first = list?.querySelector("[data-under-way]") ?? list?.querySelector("[data-id]:nth-last-child(1 of [data-id])");
    return first ? Number(first.dataset.id) : 0;
  }

  function seenUpTo() {
    if (document.hidden || !pinned || !root.hasAttribute("data-mine")) return 0;
    return Number([...document.querySelectorAll("#messages [data-id]")].at(-1)?.dataset.id ?? 0);
  }

  async function look() {
    if (looking) return;
    looking = true;
    const asked = epoch;
    try {
      const query = new URLSearchParams({ row: root.dataset.row, version, since: since(), read: seenUpTo() });
      const answer = await ask(`${root.dataset.live}?${query}`);
      const html = answer.status === 200 ? await answer.text() : "";
      if (asked === epoch) {
        judge(answer);
        if (html) take(html);
      }
    } catch {
      misses += 1;
      tell("Not connected, trying again", "expired");
    } finally {
      looking = false;
      plan();
    }
  }

  const ask = (url, options = {}) =>
    fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE),
      headers: { "X-Console": "live" },
      ...options,
    });

  function judge(answer) {
    if (answer.status === 200 || answer.status === 204) {
      if (misses) tell("Connected again", "delivered", 4000);
      misses = 0;
      return;
    }
    misses += 1;
    if (answer.type === "opaqueredirect") tell("You are signed out: reload to sign in. What you typed stays here", "expired");
    else if (answer.status === 403) tell("You may not answer sessions any more", "expired");
    else if (answer.status === 404 && session) open("");
    else tell("The server can’t answer just now, trying again", "expired");
  }

  let quiet;
  function tell(words, state, lasts = 0) {
    const line = byId("console-line");
    clearTimeout(quiet);
    if (line.textContent !== words) line.textContent = words;
    line.className = `console-line state state-${state}`;
    line.hidden = false;
    if (lasts) quiet = setTimeout(() => { line.hidden = true; }, lasts);
  }

  function complain(words) {
    byId("console-problem").hidden = !words;
    if (words) byId("console-problem").firstElementChild.textContent = words;
  }
  byId("console-problem-close").addEventListener("click", () => complain(""));

  // --- what the agent does ----------------------------------------------------------------------
  function done(html, how = { jump: true }) {
    epoch += 1;
    return take(html, how);
  }

  async function open(uuid, how = { jump: true }) {
    turn += 1;
    const asked = turn;
    complain("");
    try {
      const answer = await ask(`${root.dataset.live}?${new URLSearchParams({ session: uuid })}`);
      if (asked !== turn) return;
      if (answer.status === 200) done(await answer.text(), how);
      else if (answer.status === 404) location.assign(root.dataset.page);
      else judge(answer);
    } catch {
      if (asked === turn) complain("Not connected: try again in a moment.");
    }
  }

  byId("deed").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button || button.getAttribute("aria-busy")) return;
    if (button.closest("#transfer") && !byId("transfer-to").querySelector(":checked")) {
      byId("transfer-problem").hidden = false;
      byId("transfer-to").querySelector("input")?.focus();
      return;
    }
    button.setAttribute("aria-busy", "true");
    turn += 1;
    const asked = turn;
    complain("");
    const body = new FormData(event.target, button);
    button.closest("[popover]")?.hidePopover();
    try {
      const answer = await ask(button.formAction, { method: "POST", body });
      if (asked !== turn) return;
      if (answer.status === 200) complain(done(await answer.text()));
      else complain(answer.status === 403 ? "Not done: reload the page, and do it again." : "Not done: try again.");
    } catch {
      complain("Not connected: nothing is known to be done. Look, and try again.");
    } finally {
      button.removeAttribute("aria-busy");
    }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-session]");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey || event.button)) {
      event.preventDefault();
      if (link.dataset.session === session) show("talk");
      else open(link.dataset.session);
    }
    const earlier = event.target.closest("[data-earlier]");
    if (earlier) loadEarlier(earlier);
  });
  addEventListener("popstate", () => {
    open(new URLSearchParams(location.search).get("session") ?? "", { jump: true, push: false });
  });

  async function loadEarlier(button) {
    button.disabled = true;
    try {
      const answer = await ask(button.dataset.earlier);
      if (answer.status !== 200) throw new Error(answer.status);
      const found = new DOMParser().parseFromString(`<ol>${await answer.text()}</ol>`, "text/html");
      const height = scroller.scrollHeight;
      for (const item of found.querySelectorAll("li[id]")) drawn.set(item.id, item.outerHTML);
      button.closest("li").replaceWith(...found.querySelector("ol").children);
      scroller.scrollTop += scroller.scrollHeight - height;
    } catch {
      button.disabled = false;
    }
  }

  // Who may take it is asked when the question opens, as things stand then.
  document.addEventListener("toggle", async (event) => {
    if (event.target.id !== "transfer" || event.newState !== "open") return;
    const list = byId("transfer-to");
    byId("transfer-problem").hidden = true;
    try {
      const answer = await ask(event.target.dataset.url);
      list.innerHTML = answer.status === 200 ? await answer.text() : "<p>Try again in a moment.</p>";
      list.querySelector("input")?.focus();
    } catch {
      list.textContent = "Not connected: try again in a moment.";
    }
  }, true);

  // --- drafts -----------------------------------------------------------------------------------
  const files = new Map(); // by session; a file can't be kept longer than the page
  const nothing = () => ({ text: "", token: newToken(), blanks: [] });
  let draft = nothing();

  function newToken() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  function stored(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  }
  const store = (key, value) => {
    try {
      if (value) sessionStorage.setItem(key, JSON.stringify(value));
      else sessionStorage.removeItem(key);
    } catch {
      // A full or forbidden store: the page still has it.
    }
  };
  const draftKey = (uuid) => `console-draft:${uuid}`;
  const draftOf = (uuid) => ({ ...nothing(), ...stored(draftKey(uuid)) });

  function keepDraft() {
    draft.text = box.value;
    if (session) store(draftKey(session), draft.text || files.has(session) ? draft : null);
  }

  function bringDraft() {
    draft = session ? draftOf(session) : nothing();
    box.value = draft.text;
    hold(null);
    closeMenu();
    placeReply();
    placeFile();
    fit();
  }

  function placeReply() {
    const mine = root.hasAttribute("data-mine");
    form.hidden = !mine && !box.value; // what was typed can still be copied
    box.readOnly = !mine;
    byId("reply-send").disabled = picker.disabled = !mine;
    if (session) form.action = sayUrl(session);
    byId("reply-token").value = draft.token;
  }

  function fit() {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 180)}px`;
    settle();
  }

  function hold(words) {
    byId("reply-problem").hidden = !words;
    byId("reply-problem").textContent = words ?? "";
  }

  // --- files ------------------------------------------------------------------------------------
  function choose(file) {
    const largest = Number(form.dataset.largest);
    if (file && file.size > largest) {
      hold(`“${file.name}” has ${(file.size / 1048576).toFixed(1)} MB; a file may have ${largest / 1048576} MB at most.`);
      file = null;
    } else hold(null);
    if (file) files.set(session, file);
    else files.delete(session);
    change();
    placeFile();
  }

  function placeFile() {
    const file = files.get(session);
    if (!file) picker.value = "";
    byId("reply-chosen").hidden = !file;
    byId("reply-file-name").textContent = file?.name ?? "";
  }

  picker.addEventListener("change", () => choose(picker.files[0]));
  byId("reply-file-none").addEventListener("click", () => { choose(null); box.focus(); });
  box.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) { event.preventDefault(); choose(event.clipboardData.files[0]); }
  });
  scroller.parentElement.addEventListener("dragover", (event) => event.preventDefault());
  scroller.parentElement.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    if (root.hasAttribute("data-mine")) choose(event.dataTransfer.files[0]);
  });

  // --- sending ----------------------------------------------------------------------------------
  const outbox = []; // in the order in which it was pressed
  const keepOutbox = () => store("console-outbox", outbox.length ? outbox.map(({ file, ...kept }) => kept) : null);

  function send() {
    const text = box.value.trim();
    const file = files.get(session);
    if (!root.hasAttribute("data-mine") || (!text && !file)) return;
    const blank = draft.blanks.find((each) => text.includes(each));
    if (blank) {
      hold(`Fill in ${blank} first.`);
      select(blank);
      return;
    }
    outbox.push({ session, token: draft.token, text, file });
    keepOutbox();
    draft = nothing();
    box.value = "";
    files.delete(session);
    keepDraft();
    bringDraft();
    pinned = true;
    showWaitingReplies();
    deliver();
  }

  function showWaitingReplies() {
    const list = byId("messages");
    if (!list) return;
    for (const item of outbox) {
      const isThere = byId(`p-${item.token}`) || list.querySelector(`[data-token="${item.token}"]`);
      if (item.session !== session || isThere) continue;
      const bubble = document.createElement("li");
      bubble.id = `p-${item.token}`;
      bubble.className = "utterance is-ours is-pending";
      bubble.innerHTML = '<div class="bubble"><p class="bubble-text" dir="auto"></p></div><p class="bubble-meta">on its way…</p>';
      bubble.querySelector(".bubble-text").textContent = [item.file?.name, item.text].filter(Boolean).join("\n");
      list.append(bubble);
    }
    settle();
  }

  let delivering = false;
  async function deliver() {
    if (delivering) return;
    delivering = true;
    while (outbox.length) {
      const item = outbox[0];
      const problem = await post(item);
      outbox.shift();
      keepOutbox();
      byId(`p-${item.token}`)?.remove();
      if (problem) giveBack(item, problem);
    }
    delivering = false;
  }

  async function post(item) {
    const body = new FormData();
    const fields = { csrfmiddlewaretoken: csrf, token: item.token, text: item.text, session: item.session };
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    if (item.file) body.append("file", item.file);
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await ask(sayUrl(item.session), {
          method: "POST",
          body,
          signal: AbortSignal.timeout(item.file ? 120000 : PATIENCE),
        });
        if (answer.status === 200) {
          const html = await answer.text();
          if (item.session === session) return done(html, { jump: false });
          const parsed = new DOMParser().parseFromString(html, "text/html");
          return parsed.getElementById("answer")?.dataset.problem ?? "";
        }
        if (answer.status < 500) {
          return answer.type === "opaqueredirect" || answer.status === 403
            ? "Not sent: you are signed out, or the page is too old. Reload it; your text stays."
            : "Not sent: the server did not take it.";
        }
      } catch {
        tell("Not connected, trying again", "expired");
      }
      if (tried === TRIES) return "Not sent: the server can’t be reached. Your text is below again.";
      await new Promise((done) => setTimeout(done, 1000 * tried));
    }
  }

  // Unchanged, it keeps its id: should it have arrived after all, it is not sent twice. Changed in
  // text or file it is another, or the server would answer with the first and send nothing.
  function change() {
    draft.token = newToken();
    keepDraft();
    byId("reply-token").value = draft.token;
  }

  function giveBack(item, problem) {
    keepDraft();
    const kept = draftOf(item.session);
    const alone = !kept.text && !files.has(item.session);
    kept.text = alone ? item.text : `${item.text}\n${kept.text}`;
    kept.token = alone ? item.token : newToken();
    store(draftKey(item.session), kept);
    if (item.file) files.set(item.session, item.file);
    if (item.session === session) {
      bringDraft();
      hold(problem);
    } else complain(problem);
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  box.addEventListener("input", () => {
    if (box.value !== draft.text) change();
    hold(null);
    fit();
    offer();
  });

  // --- canned replies ---------------------------------------------------------------------------
  let wanted = null; // the query that is being asked for or shown; null: closed
  let offered = null; // the query whose replies are shown
  let chooses = false; // Enter was pressed before they came
  let active = -1;

  const options = () => [...menu.querySelectorAll("[role=option]")];

  function closeMenu() {
    wanted = offered = null;
    chooses = false;
    menu.hidden = true;
    box.removeAttribute("aria-activedescendant");
  }

  async function offer() {
    if (!/^\/[^\n/]{0,60}$/.test(box.value)) return closeMenu();
    const query = box.value.slice(1).trim();
    if (query === wanted) return;
    wanted = query;
    const uuid = session;
    try {
      const answer = await ask(`${sayUrl(uuid).replace(/say\/$/, "replies/")}?${new URLSearchParams({ q: query })}`);
      const html = answer.status === 200 ? await answer.text() : "";
      if (wanted !== query || uuid !== session) return;
      offered = query;
      menu.innerHTML = html;
      menu.hidden = false;
      mark(options().length ? 0 : -1);
      if (chooses && active >= 0) insert(options()[active]);
      chooses = false;
    } catch {
      if (wanted === query) closeMenu();
    }
  }

  function mark(at) {
    active = at;
    options().forEach((option, n) => option.setAttribute("aria-selected", String(n === at)));
    const option = options()[at];
    if (option) {
      box.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else box.removeAttribute("aria-activedescendant");
  }

  function insert(option) {
    draft.blanks = option.dataset.blanks ? option.dataset.blanks.split(" ") : [];
    box.value = option.dataset.text;
    draft.token = newToken();
    keepDraft();
    closeMenu();
    placeReply();
    fit();
    box.focus();
    const blank = draft.blanks[0];
    if (blank) select(blank);
    else box.setSelectionRange(box.value.length, box.value.length);
  }

  function select(blank) {
    const at = box.value.indexOf(blank);
    box.focus();
    if (at >= 0) box.setSelectionRange(at, at + blank.length);
  }

  menu.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the box keeps the focus
    const option = event.target.closest("[role=option]");
    if (option) insert(option);
  });
  box.addEventListener("blur", () => { if (!menu.hidden) closeMenu(); });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const isOpen = wanted !== null;
    if (isOpen && event.key === "Escape") {
      event.preventDefault();
      closeMenu();
    } else if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const count = options().length;
      if (count) mark((active + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if (isOpen && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      event.preventDefault();
      if (offered !== wanted) chooses = true;
      else if (active >= 0) insert(options()[active]);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  });

  // --- where the agent is -----------------------------------------------------------------------
  const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
  function settle() {
    if (pinned) scroller.scrollTop = scroller.scrollHeight;
    byId("talk-newest").hidden = pinned || isAtEnd();
  }
  let top = 0;
  scroller.addEventListener("scroll", () => {
    if (isAtEnd()) pinned = true;
    else if (scroller.scrollTop < top) pinned = false;
    top = scroller.scrollTop;
    if (pinned) byId("talk-newest").hidden = true;
  }, { passive: true });
  byId("talk-newest").addEventListener("click", () => { pinned = true; settle(); });
  // A picture that arrives makes it longer, a longer reply makes its window smaller.
  scroller.addEventListener("load", ({ target }) => {
    settle();
    if (target.closest("details")) target.scrollIntoView({ block: "nearest" }); // it was asked for
  }, true);
  scroller.addEventListener("error", ({ target }) => {
    const words = Object.assign(document.createElement("p"), { className: "bubble-lost" });
    words.textContent = `${target.alt}: the picture can’t be fetched.`;
    target.closest("a").replaceWith(words);
  }, true);
  new ResizeObserver(settle).observe(scroller);

  function show(view) {
    root.classList.toggle("shows-talk", view === "talk");
    root.classList.toggle("shows-contact", view === "contact");
    byId("to-contact").setAttribute("aria-expanded", String(view === "contact"));
    if (view === "talk") settle();
  }
  byId("to-queue").addEventListener("click", () => { show("queue"); root.querySelector(".queue-row")?.focus(); });
  byId("to-contact").addEventListener("click", () => { show("contact"); byId("from-contact").focus(); });
  byId("from-contact").addEventListener("click", () => { show("talk"); byId("to-contact").focus(); });

  // --- times, counted each second ---------------------------------------------------------------
  const name = document.title;
  const two = (number) => String(number).padStart(2, "0");
  function span(ms) {
    const all = Math.max(0, Math.floor(ms / 1000));
    const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
    return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
  }
  // To the second only where it matters: what ticks all day draws the eye all day.
  function calm(ms) {
    const minutes = Math.floor(ms / 60000);
    if (minutes < SOON) return span(ms);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  }
  const write = (node, words) => { if (node.textContent !== words) node.textContent = words; };
  const clockTime = (node) => node.dataset.at ?? (node.dataset.at = /\d\d:\d\d/.exec(node.textContent)?.[0] ?? "");

  function tick() {
    for (const node of root.querySelectorAll("[data-since]")) {
      const ms = now() - Date.parse(node.dataset.since);
      write(node, span(ms));
      node.parentElement.classList.toggle("is-long-wait", ms > 120000);
    }
    for (const node of root.querySelectorAll("[data-left]")) {
      write(node, `· ${Math.max(0, Math.ceil((Date.parse(node.dataset.left) - now()) / 1000))} s left`);
    }
    for (const node of root.querySelectorAll("[data-until]")) {
      const ms = Date.parse(node.dataset.until) - now();
      write(node, `${ms < HOUR ? calm(ms) : `${Math.floor(ms / HOUR)} h`} left`);
      urge(node.parentElement, ms);
    }
    for (const node of root.querySelectorAll("[data-limit]")) {
      const ms = Date.parse(node.dataset.limit) - now();
      write(node, `Ends by itself at ${clockTime(node)}, in ${calm(ms)}`);
    }
    for (const node of root.querySelectorAll("[data-warn]")) warn(node);
    const news = Number(root.dataset.waits) + Number(root.dataset.unread);
    const title = news ? `(${news}) ${name}` : name;
    if (document.title !== title) document.title = title;
    write(byId("to-queue-count"), news ? ` (${news})` : "");
  }

  function urge(node, ms) {
    node.classList.toggle("is-soon", ms < SOON * 60000);
    node.classList.toggle("is-very-soon", ms < VERY_SOON * 60000);
  }

  function warn(node) {
    const ms = Date.parse(node.dataset.warn) - now();
    const minutes = Math.ceil(ms / 60000);
    node.hidden = minutes > SOON;
    if (node.hidden) return;
    const left = minutes > 1 ? `${minutes} minutes` : "less than a minute";
    const close = minutes <= VERY_SOON;
    node.classList.toggle("notice-bad", close);
    node.classList.toggle("notice-warning", !close);
    write(node.firstElementChild, close
      ? `Only ${left} left: then it ends by itself. Say goodbye, or ask them to write again.`
      : `It ends by itself in ${left}.`);
  }

  // --- beginning --------------------------------------------------------------------------------
  // What was on its way when the page was left is a draft again, under its id.
  // The last one first, for each is put before what is there.
  for (const item of (stored("console-outbox") ?? []).reverse()) giveBack(item, "");
  store("console-outbox", null);
  bringDraft();
  complain("");
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => { tick(); clock.postMessage(0); });
  addEventListener("pagehide", keepDraft);
  if (fine && !form.hidden && root.hasAttribute("data-mine")) box.focus({ preventScroll: true });
  settle();
  plan();
}

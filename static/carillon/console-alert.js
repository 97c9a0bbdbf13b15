// Calls the agent who looks elsewhere: a tone, and a note on the desktop, for each session that is
// offered and for what a contact writes while the console's tab is hidden. Off until it is asked
// for, in each browser; a note names no contact and says nothing of what was written.
"use strict";
{
  const KEY = "console-alert";
  const button = document.getElementById("alert");
  const root = document.getElementById("console");
  let known = offered();
  let unread = Number(root.dataset.unread);
  let audio;
  let tried = false; // it was pressed for the sound
  let chosen = stored(); // "on", "off", or null where it was never asked for

  function offered() {
    return new Map([...document.querySelectorAll(".queue-list .is-offered")].map((row) => [row.parentElement.id, row]));
  }

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function choose(word) {
    chosen = word;
    try {
      localStorage.setItem(KEY, word);
    } catch {
      // A forbidden store: it holds until the page is left.
    }
    draw();
  }

  const isOn = () => chosen === "on";
  const mayNote = () => "Notification" in window && Notification.permission === "granted";
  const sounds = () => audio?.state === "running";

  function draw() {
    button.classList.toggle("is-on", isOn() && sounds());
    button.lastElementChild.textContent = words();
  }

  function words() {
    if (!isOn()) return "Alert me";
    if (!sounds()) return tried ? "Alerts are on, without sound" : "Alerts: press for sound";
    return mayNote() ? "Alerts are on" : "Alerts are on, by sound";
  }

  // A browser plays nothing before the page was touched.
  function wakeAudio() {
    if (!isOn() || !("AudioContext" in window)) return;
    audio ??= Object.assign(new AudioContext(), { onstatechange: draw });
    if (audio.state === "suspended") audio.resume();
  }

  function ring() {
    if (!sounds()) return;
    [[880, 0], [1175, 0.16]].forEach(([pitch, after]) => {
      const at = audio.currentTime + after;
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.15, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.32);
    });
  }

  function note(tag, words) {
    if (!mayNote()) return;
    try {
      const shown = new Notification(words, { tag, icon: button.dataset.icon });
      shown.onclick = () => { window.focus(); shown.close(); };
    } catch {
      // Some browsers of phones let only service workers do it.
    }
  }

  document.addEventListener("console-news", () => {
    const now = offered();
    const fresh = [...now].filter(([id]) => !known.has(id));
    const count = Number(root.dataset.unread);
    const written = document.hidden && count > unread;
    known = now;
    unread = count;
    if (!isOn() || !(fresh.length || written)) return;
    ring();
    if (!document.hidden && sounds()) return; // else the note is all there is
    for (const [id, row] of fresh) note(id, `Offered to you: ${row.querySelector(".queue-what").dataset.workType}`);
    if (written) note("unread", count === 1 ? "1 unread message" : `${count} unread messages`);
  });

  button.addEventListener("click", async () => {
    if (!isOn() || sounds() || tried) choose(isOn() ? "off" : "on"); // else it is for the sound
    if (!isOn()) return;
    tried = true;
    wakeAudio();
    audio?.resume().then(ring);
    if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission();
    draw();
  });
  for (const touch of ["pointerdown", "keydown"]) {
    // The button itself is answered once it is pressed, by what it said then.
    addEventListener(touch, ({ target }) => button.contains(target) || wakeAudio(), { passive: true });
  }
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== KEY) return;
    chosen = newValue;
    draw();
  });

  button.hidden = false;
  draw();
}

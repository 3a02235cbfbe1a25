// The script of the page: refreshes it, shows times in the reader's zone, and handles keys. The page is complete without it.

/** How often the page asks anew (ms): when nothing streams, when something does or the page is hidden, and after how long it is called old. */
const ASK = 5000, ASK_SELDOM = 30000, OLD = 15000;
/** After how long an answer is given up, how long news are gathered, and how long is between two questions at least (ms). */
const PATIENCE = 10000, GATHER = 200, ASK_AT_MOST = 700;

const html = window.trustedTypes?.createPolicy("labwatch", { createHTML: (text) => text }) ?? { createHTML: (text) => text };
const $ = (id) => document.getElementById(id);

const plain = document.body.classList.contains("plain");
let lastReceived = Date.now(), lost = false, streams = false, asking = false, again = false, timer = 0, due = Infinity, asked = 0, events = null, opener = null;

/* Up to date */

async function refresh() {
  if (asking) { again = true; due = Infinity; return; }
  asking = true;
  due = Infinity;
  asked = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE), cache: "no-cache" });
    if (!answer.ok && answer.status !== 404) throw new Error(`status ${answer.status}`);
    take(new DOMParser().parseFromString(html.createHTML(await answer.text()), "text/html"));
    lastReceived = Date.now();
    lost = false;
  } catch {
    lost = true;
  }
  asking = false;
  showAge();
  const wait = again ? GATHER : patient() ? ASK_SELDOM : ASK;
  // A change that was announced meanwhile may have set an earlier time.
  if (Date.now() + wait < due) later(wait);
  again = false;
}

const patient = () => streams || plain || document.hidden;

function later(wait) {
  clearTimeout(timer);
  due = Date.now() + wait;
  timer = setTimeout(refresh, wait);
}

/** Takes what changed from a newer page; a page of another version of labwatch is loaded whole. */
function take(next) {
  const style = (page) => page.querySelector("link[rel=stylesheet]")?.getAttribute("href");
  if (style(next) !== style(document)) { location.reload(); return; }
  localise(next);
  document.title = next.title;
  morph(document.querySelector("link[rel=icon]"), next.querySelector("link[rel=icon]"));
  morph(document.body, next.body);
}

function morph(was, now) {
  if (was.isEqualNode(now) || was.dataset?.keep !== undefined) return;
  if (was.nodeType !== Node.ELEMENT_NODE) { was.nodeValue = now.nodeValue; return; }
  for (const { name } of [...was.attributes]) {
    if (!now.hasAttribute(name) && name !== "open") was.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (was.getAttribute(name) !== value) was.setAttribute(name, value);
  }
  let at = was.firstChild;
  for (const next of now.childNodes) {
    const known = next.id ? [...was.children].find((child) => child.id === next.id) : at;
    if (known && alike(known, next)) {
      if (known === at) at = at.nextSibling;
      else was.insertBefore(known, at);
      morph(known, next);
    } else {
      was.insertBefore(document.importNode(next, true), at);
    }
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");

/** Asks soon, but not too often however fast changes come, and not all readers at the same moment: a change is seen within a second. */
function soon() {
  const wait = Math.max(GATHER * (1 + Math.random()), asked + ASK_AT_MOST - Date.now());
  if (Date.now() + wait < due) later(wait);
}

/** Listens while the page is seen. A browser has six connections to a host, for all of its pages together and for those that were just left. */
function listen() {
  const address = document.body.dataset.stream;
  if (!address || events || document.hidden) return;
  events = new EventSource(address);
  events.onopen = () => { streams = true; soon(); };
  events.onerror = () => {
    // It reconnects by itself, repeatedly: only the first time needs a request.
    if (streams) later(GATHER);
    streams = false;
    if (events?.readyState === EventSource.CLOSED) { events = null; setTimeout(listen, ASK_SELDOM); }
  };
  for (const kind of ["experiment", "gone", "counts", "sources", "reset"]) events.addEventListener(kind, soon);
  events.addEventListener("ping", () => { lastReceived = Date.now(); });
}

function stopListening() {
  events?.close();
  events = null;
  streams = false;
}

/* How fresh it is */

function showAge() {
  const age = Date.now() - lastReceived, live = $("live"), note = $("lost");
  const is = lost ? "lost" : age > (patient() ? ASK_SELDOM + OLD : OLD) ? "old" : "live";
  if (live) {
    live.hidden = false;
    live.dataset.is = is;
    const words = is === "lost" ? "disconnected" : is === "old" ? `${spell(age)} old` : "live";
    if (live.textContent !== words) live.textContent = words;
  }
  if (note.hidden === lost) {
    note.hidden = !lost;
    note.textContent = lost ? `Connection lost. What you see is from ${clock(new Date(lastReceived))}. Trying again.` : "";
  }
}

/* Times */

const zone = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const hours = new Intl.DateTimeFormat(undefined, { ...zone, hourCycle: "h23" });
const days = new Intl.DateTimeFormat(undefined, { ...zone, hourCycle: "h23", day: "numeric", month: "short" });
const exact = new Intl.DateTimeFormat(undefined, { ...zone, hourCycle: "h23", second: "2-digit", day: "numeric", month: "short" });
const tickTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const stretch = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const clock = (moment) => (moment.toDateString() === new Date().toDateString() ? hours : days).format(moment);

function spell(millis) {
  const seconds = Math.max(0, Math.floor(millis / 1000)), minutes = Math.floor(seconds / 60), hour = Math.floor(minutes / 60), day = Math.floor(hour / 24);
  if (minutes === 0) return `${seconds} s`;
  if (hour === 0) return `${minutes} min`;
  const [large, small, unit] = day === 0 ? [`${hour} h`, minutes % 60, "min"] : [`${day} d`, hour % 24, "h"];
  return small === 0 ? large : `${large} ${small} ${unit}`;
}

function localise(page) {
  for (const time of page.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    put(time, "exact" in time.dataset ? exact.format(moment) : clock(moment));
    time.title = full.format(moment);
  }
  for (const tick of page.querySelectorAll(".ticks [data-at]")) put(tick, tickTime.format(new Date(tick.dataset.at)));
  for (const of of page.querySelectorAll("title[data-from]")) put(of, `${stretch.formatRange(new Date(of.dataset.from), new Date(of.dataset.until))}: ${of.dataset.is}`);
  ages(page);
}

function ages(page) {
  for (const age of page.querySelectorAll("[data-ago]")) put(age, `(${spell(Date.now() - Date.parse(age.dataset.ago))} ago)`);
  for (const age of page.querySelectorAll("[data-for]")) put(age, `(${spell(Date.now() - Date.parse(age.dataset.for))})`);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* Theme */

function theme() {
  const button = $("theme");
  if (!button) return;
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.title = `Change to the ${dark() ? "light" : "dark"} theme`; };
  button.onclick = () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `labwatch-theme=${next}; path=/; max-age=31536000; samesite=lax`;
    name();
  };
  name();
  button.hidden = false;
}

/* Orders: what one would do appears while its form is filled in */

function preview(form) {
  const effect = $("effect"), check = $("check");
  let wait = 0, asks = 0;
  const look = async () => {
    const mine = ++asks;
    if (!form.checkValidity()) { effect.replaceChildren(); delete effect.dataset.is; check.parentElement.hidden = false; return; }
    const query = new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(`${form.getAttribute("action")}?${query}`, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
      const next = new DOMParser().parseFromString(html.createHTML(await answer.text()), "text/html");
      if (mine !== asks) return;
      localise(next);
      effect.replaceChildren(...[...(next.getElementById("effect")?.childNodes ?? [])].map((node) => document.importNode(node, true)));
      for (const field of form.elements) field.removeAttribute("aria-invalid");
      for (const wrong of next.querySelectorAll("#order [aria-invalid]")) $(wrong.id)?.setAttribute("aria-invalid", "true");
      delete effect.dataset.is;
      // The effect is shown below by itself: the button for it is not needed.
      check.parentElement.hidden = $("confirm") !== null;
      $("change")?.remove();
    } catch { /* The button still shows what it does. */ check.parentElement.hidden = false; }
  };
  form.addEventListener("input", () => {
    effect.dataset.is = "old";
    const confirm = $("confirm");
    if (confirm) confirm.disabled = true;
    clearTimeout(wait);
    wait = setTimeout(look, GATHER);
  });
  if (!$("problem")) look();
}

/* Keys */

function step(by) {
  const rows = [...document.querySelectorAll("[data-row] a.name")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next?.focus();
}

const home = () => document.querySelector("a.brand")?.click();

const keys = {
  "/": () => { const search = $("q"); if (search) { search.focus(); search.select(); } else home(); },
  "j": () => step(1),
  "k": () => step(-1),
  "g": () => home(),
  "?": () => { if ($("help")?.classList.contains("over")) close(); else show(); },
};

/** The words and keys over the page; Escape, the key again or a click beside closes them. */
function show() {
  const help = $("help");
  if (!help) return;
  opener = document.activeElement;
  help.classList.add("over");
  help.open = true;
  help.querySelector("summary").focus();
}

function close() {
  const help = $("help");
  if (!help?.classList.contains("over")) return;
  help.open = false;
  help.classList.remove("over");
  opener?.focus();
}

$("help")?.addEventListener("toggle", (event) => { if (!event.target.open) close(); });
document.addEventListener("click", (event) => { if (!event.target.closest("#help")) close(); });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape") close();
  if (typing) { if (event.key === "Escape") typing.blur(); return; }
  const act = keys[event.key];
  if (act) { event.preventDefault(); if (event.key !== "?") close(); act(); }
});

document.addEventListener("change", (event) => { if (event.target.matches("form[role=search] select")) event.target.form.requestSubmit(); });
// An address holds only filters that are set.
document.addEventListener("formdata", ({ formData }) => { for (const [name, value] of [...formData]) if (value === "") formData.delete(name); });
localise(document);
theme();
if (document.body.classList.contains("still")) {
  setInterval(() => ages(document), 1000);
  if ($("order")) preview($("order"));
} else {
  showAge();
  setInterval(() => { ages(document); showAge(); }, 1000);
  listen();
  document.addEventListener("visibilitychange", () => { if (document.hidden) stopListening(); else { listen(); refresh(); } });
  addEventListener("pagehide", stopListening);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); refresh(); } });
  addEventListener("online", () => refresh());
  later(plain ? ASK_SELDOM : ASK);
}

// Every page works without this script. With it the overview is live, ids are copied by a click, times tell the local
// hour, and a form that was sent is not sent twice.
"use strict";

// idle: nobody has the focus or a selection inside, so that it may be replaced.
const idle = (el) => !el.contains(document.activeElement) && !(getSelection().toString() && el.contains(getSelection().anchorNode)) && !el.querySelector("details[open]");

const dress = (root) => {
  for (const t of root.querySelectorAll("time[datetime]")) t.title = new Date(t.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "full", timeStyle: "medium" });
};

const live = document.querySelector("[data-live]");
if (live && window.EventSource) {
  let source, last;
  const show = () => { if (last !== undefined && idle(live)) { live.innerHTML = last; last = undefined; dress(live); } };
  const start = () => {
    source = new EventSource(live.dataset.live);
    source.addEventListener("overview", (e) => { last = e.data; show(); });
  };
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  const label = () => { button.textContent = source ? live.dataset.pause : live.dataset.go; };
  button.addEventListener("click", () => { if (source) { source.close(); source = undefined; } else start(); label(); });
  start();
  label();
  live.previousElementSibling.append(button);
  document.addEventListener("focusout", () => setTimeout(show, 300));
  addEventListener("pagehide", () => source && source.close());
  addEventListener("pageshow", (e) => { if (e.persisted && source) start(); });
}

// A message that is under way: its journey is fetched anew until it has come to rest.
const refresh = document.querySelector("[data-refresh]");
if (refresh) {
  let left = 40;
  const timer = setInterval(async () => {
    const old = document.querySelector(refresh.dataset.refresh);
    if (!idle(old)) return;
    if (--left < 0) return clearInterval(timer);
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok || answer.redirected) return clearInterval(timer);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.querySelector("[data-refresh]")) { clearInterval(timer); location.reload(); return; }
    const fresh = page.querySelector(refresh.dataset.refresh);
    if (fresh && fresh.innerHTML !== old.innerHTML) { old.replaceChildren(...fresh.childNodes); dress(old); }
  }, 3000);
}

for (const el of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const text = el.textContent.replaceAll(" ", "");
  const b = document.createElement("button");
  b.type = "button";
  b.className = "copy";
  b.textContent = document.body.dataset.copyLabel;
  b.addEventListener("click", () => navigator.clipboard.writeText(text).then(() => { b.textContent = "✓"; }));
  el.append(b);
}

document.addEventListener("submit", (e) => {
  for (const b of e.target.querySelectorAll("button")) setTimeout(() => { b.disabled = e.target.method !== "get"; }, 0);
});
addEventListener("pageshow", () => { for (const b of document.querySelectorAll("button[disabled]")) b.disabled = false; });

dress(document);

// Keeps the page up to date without a flicker: fetches the same address again and puts what has changed in the place of what stood
// there, section by section. Whoever reads, types or has something open keeps their place. Without this file the page is whole, and
// says how old it is.
"use strict";
(() => {
  const EVERY = 20_000;
  const main = () => document.getElementById("main");
  const behind = () => document.getElementById("behind");
  const sections = (root) => new Map([...root.children].map((part, index) => [part.id || `#${index}`, part]));
  const text = (part) => part.outerHTML.replaceAll(/ open=""/g, "");
  // As they were served: what the reader opened, or typed, is no change.
  const served = new Map([...sections(main())].map(([id, part]) => [id, text(part)]));
  let last = new Date();

  function put(old, fresh) {
    for (const box of old.querySelectorAll("details[id]")) {
      const twin = fresh.querySelector(`details[id="${box.id}"]`);
      if (twin) twin.open = box.open;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const links = (root) => [...root.querySelectorAll("a[href], summary")];
    const place = focused ? links(old).indexOf(focused) : -1;
    old.replaceWith(fresh);
    if (place >= 0) links(fresh)[place]?.focus({ preventScroll: true });
  }

  function lay(next) {
    const now = sections(main());
    const then = sections(next);
    for (const [id, part] of now) if (!then.has(id)) part.remove();
    let before = null;
    for (const [id, part] of then) {
      const old = now.get(id);
      const fresh = text(part);
      const busy = old && old.matches("form") && old.contains(document.activeElement);
      const chosen = old && !old.hidden && String(document.getSelection()) && document.getSelection().containsNode(old, true);
      if (!old) {
        if (before) before.after(part); else main().prepend(part);
        before = part;
      } else if (served.get(id) !== fresh && !busy && !chosen) {
        put(old, part);
        before = part;
      } else {
        before = old;
        if (served.get(id) !== fresh) continue;
      }
      served.set(id, fresh);
    }
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("main");
      if (!next || !answer.ok) throw new Error(String(answer.status));
      lay(next);
      document.title = page.title;
      for (const id of ["as-of"]) {
        const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
        if (old && fresh && old.outerHTML !== fresh.outerHTML) old.replaceWith(fresh);
      }
      last = new Date();
      if (behind()?.textContent) behind().textContent = "";
    } catch {
      const words = `This page could not be brought up to date since ${last.toLocaleTimeString()}; trying again.`;
      if (behind() && behind().textContent !== words) behind().textContent = words;
    }
  }

  if (main() && behind()) {
    setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", refresh);
  }
})();

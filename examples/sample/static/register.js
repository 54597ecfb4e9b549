"use strict";
const show = (id, text) => { document.getElementById(id).textContent = text; };
(async () => {
  if (!navigator.serviceWorker) return show("worker-state", "not possible here");
  try {
    await navigator.serviceWorker.register("/worker.js", { scope: "/" });
  } catch {
    return show("worker-state", "refused");
  }
  if (!navigator.serviceWorker.controller) {
    await new Promise((taken) => navigator.serviceWorker.addEventListener("controllerchange", taken, { once: true }));
  }
  show("worker-state", "active");
  show("worker-answer", await (await fetch("/from-worker")).text());
})();

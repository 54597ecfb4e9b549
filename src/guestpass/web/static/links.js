"use strict";
// What the pages of links need beside htmx and dashboard.js. Each of them works without it too.
(() => {
  // A time that is typed is the reader's; only the browser knows which moment that is.
  const noteMoment = (hidden) => {
    const typed = document.getElementById(hidden.dataset.momentOf);
    const at = typed?.value ? new Date(typed.value) : null;
    hidden.value = at && !Number.isNaN(at.getTime()) ? at.toISOString() : "";
  };
  const prepareTimes = () => {
    for (const hidden of document.querySelectorAll("input[data-moment-of]")) noteMoment(hidden);
    for (const zone of document.querySelectorAll("[data-zone]")) zone.textContent = "your time";
  };

  // A field that one answer alone needs must not keep the form from being sent with the other.
  const requireWhatIsAsked = () => {
    for (const field of document.querySelectorAll("input[data-needed-by]")) {
      const chosen = field.form?.elements[field.dataset.neededBy]?.value;
      field.required = chosen === field.name;
    }
  };

  const tickable = (name) => [...document.querySelectorAll(`input[type=checkbox][name="${name}"]:not(:disabled)`)];
  const countTicked = () => {
    for (const shown of document.querySelectorAll("[data-ticked]")) {
      const boxes = tickable(shown.dataset.ticked);
      const ticked = boxes.filter((box) => box.checked).length;
      shown.textContent = ticked ? String(ticked) : "the chosen";
      shown.closest("button").disabled = !ticked;
      const all = document.querySelector(`[data-tick-all="${shown.dataset.ticked}"]`);
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  };

  // Who edits with the keyboard goes on in the field, and afterwards at the button that opened it.
  let edited = null;
  const keepFocus = () => {
    const form = document.querySelector("#link-terms form");
    if (document.activeElement === document.body) {
      const next = form?.querySelector("input:not([type=hidden]), select, textarea") ?? document.getElementById(edited);
      next?.focus();
    }
    edited = form ? `edit-${form.dataset.term}` : null;
  };

  const prepare = () => {
    prepareTimes();
    requireWhatIsAsked();
    countTicked();
  };

  document.addEventListener("input", (event) => {
    for (const hidden of document.querySelectorAll("input[data-moment-of]")) {
      if (event.target.id === hidden.dataset.momentOf) noteMoment(hidden);
    }
  });
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-tick-all]");
    if (all) for (const box of tickable(all.dataset.tickAll)) box.checked = all.checked;
    requireWhatIsAsked();
    countTicked();
  });
  document.addEventListener("htmx:after:swap", () => {
    prepare();
    keepFocus();
    // A list that was narrowed keeps its address, so that a reload and the way back show the same.
    const address = document.getElementById("found-links")?.dataset.address;
    if (address && address !== location.pathname + location.search) history.replaceState(history.state, "", address);
  });
  document.addEventListener("close-dialog", () => document.querySelector("dialog[open] [data-close]")?.click());
  document.addEventListener("DOMContentLoaded", prepare);
})();

"use strict";
// What the pages need beside htmx. Each of them works without it too.
(() => {
  const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  // Times in words have the exact one, in the reader's own zone, as their title.
  const showLocalTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      time.title = when.format(new Date(time.dateTime));
      if (time.hasAttribute("data-exact")) time.textContent = time.title;
    }
  };

  // A dialog's content is fetched into #dialog-content; Escape, a click beside it and [data-close] close it.
  const dialog = () => document.getElementById("dialog");
  const closeDialog = () => {
    dialog()?.close();
    document.getElementById("dialog-content")?.replaceChildren();
  };
  const openDialog = () => {
    const box = dialog();
    if (box && !box.open && document.getElementById("dialog-content").childElementCount) box.showModal();
  };

  // Browsers give the clipboard itself to secure pages only; elsewhere they copy what is selected.
  const copySelected = (text) => {
    const box = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
    const focused = document.activeElement;
    (document.querySelector("dialog[open]") ?? document.body).append(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    focused?.focus();
    return copied;
  };
  const copy = async (button) => {
    const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.value ?? "";
    const label = button.querySelector("[data-copy-label]") ?? button;
    const before = (label.dataset.before ??= label.textContent);
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    const done = copied || copySelected(text);
    if (!done) document.getElementById(button.dataset.copyFrom)?.select();
    label.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { label.textContent = before; }, 2000);
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target === dialog() || target.closest("[data-close]")) {
      event.preventDefault();
      closeDialog();
    }
    const copying = target.closest("[data-copy], [data-copy-from]");
    if (copying) copy(copying);
  });

  // What takes a while says so, and is not sent twice.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || event.defaultPrevented) return;
    if (button.getAttribute("aria-busy") === "true") event.preventDefault();
    button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
  });

  document.addEventListener("htmx:after:swap", (event) => {
    showLocalTimes(document);
    openDialog();
    // What comes next is read from its beginning, wherever the button stood that asked for it.
    if (event.detail?.ctx?.target?.id === "dialog-content") {
      dialog().scrollTop = 0;
      dialog().querySelector("[aria-invalid='true']")?.focus();
    }
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const source = event.detail?.ctx?.sourceElement;
    for (const button of source?.querySelectorAll?.("button[aria-busy]") ?? []) button.removeAttribute("aria-busy");
  });
  // The session has ended elsewhere.
  document.addEventListener("signed-out", () => window.location.assign("/sign-in"));

  document.addEventListener("DOMContentLoaded", () => {
    showLocalTimes(document);
    document.querySelector("[aria-invalid='true']")?.focus();
  });
})();

// The page was rendered with the theme of its own time, and without a cookie it can't know what the visitor's system prefers.
"use strict";
addEventListener("pageshow", () => {
  const chosen = document.cookie.match(/(?:^|; )sample_theme=(light|dark)(?:;|$)/)?.[1];
  if (chosen) document.documentElement.dataset.theme = chosen;
  const shown = chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const button = document.getElementById("theme");
  button.value = shown === "dark" ? "light" : "dark";
  button.textContent = shown === "dark" ? "Light" : "Dark";
});

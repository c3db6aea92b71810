/* Progressive enhancement only: every page works with this file absent. */
const root = document.documentElement;
root.classList.add("js");

/* Read a part of the page aloud: <button class="speak needs-js" type="button" data-speak="#prices">. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-speak]");
  if (!button || !("speechSynthesis" in window)) return;
  const words = new SpeechSynthesisUtterance(document.querySelector(button.dataset.speak).innerText);
  words.lang = root.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(words);
});

/* Add to a number: <button type="button" class="btn ghost needs-js" data-add="10" data-to="#id_mass_kg">. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (!button) return;
  const input = document.querySelector(button.dataset.to);
  input.value = String((parseFloat(input.value) || 0) + Number(button.dataset.add));
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

/* Print the page: <button type="button" class="btn ghost needs-js" data-print>. */
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

/* One menu open at a time; a click elsewhere or Escape closes it. */
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

/* After a refused form, start reading at the summary of what to mend. */
const focusErrors = (within) => within.querySelector?.("[data-focus]")?.focus();
focusErrors(document);
document.addEventListener("htmx:afterSwap", (event) => focusErrors(event.target));

/* Clocks that run down. The server's clock is law: data-now tells how far ours is off. */
const offset = Date.parse(root.dataset.now) - Date.now();
const pad = (n) => String(n).padStart(2, "0");
const runDown = () =>
  document.querySelectorAll("time[data-end]").forEach((time) => {
    const left = Math.max(0, Math.floor((Date.parse(time.dateTime) - Date.now() - offset) / 1000));
    if (left >= 172800) return; // two days and more: the words say it better
    time.textContent = `${Math.floor(left / 3600)}:${pad(Math.floor(left / 60) % 60)}:${pad(left % 60)}`;
  });
if (document.querySelector("time[data-end]")) runDown();
setInterval(runDown, 1000);

/* Thin offline shell: pages already read and first aid stay readable without a network. */
if ("serviceWorker" in navigator) {
  addEventListener("load", () => navigator.serviceWorker.register("/sw.js").catch(() => {}));
}

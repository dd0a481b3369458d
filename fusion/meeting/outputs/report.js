"use strict";
// The page can be read without this: it adds the filter of the transcript and the playing of rows.
(() => {
  const rows = Array.from(document.querySelectorAll("#rows tbody tr"));
  const filters = document.querySelector(".filters");
  if (filters) {
    const words = document.getElementById("filter-words");
    const speaker = document.getElementById("filter-speaker");
    const label = document.getElementById("filter-label");
    const count = document.getElementById("filter-count");
    const apply = () => {
      const wanted = words.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits =
          (!wanted || row.textContent.toLowerCase().includes(wanted)) &&
          (!speaker || !speaker.value || row.dataset.speaker === speaker.value) &&
          (!label || !label.value || row.dataset.label === label.value);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      count.textContent = shown + " of " + rows.length;
    };
    for (const input of [words, speaker, label]) if (input) input.addEventListener("input", apply);
    filters.hidden = false;
    apply();
    // a row that a point leads to must not be hidden by the filter
    window.addEventListener("hashchange", () => {
      const row = document.getElementById(location.hash.slice(1));
      if (row && row.hidden) { words.value = ""; if (speaker) speaker.value = ""; if (label) label.value = ""; apply(); row.scrollIntoView(); }
    });
  }
  const audio = document.getElementById("recording");
  if (!audio) return;
  let end = Infinity, playing = null;
  const stop = () => { if (playing) playing.classList.remove("playing"); playing = null; end = Infinity; };
  const ready = () => {
    audio.hidden = false;
    for (const button of document.querySelectorAll(".play")) button.hidden = false;
  };
  if (audio.readyState >= 1) ready(); else audio.addEventListener("loadedmetadata", ready);
  audio.addEventListener("timeupdate", () => { if (audio.currentTime >= end) { audio.pause(); stop(); } });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".play");
    if (!button) return;
    const row = button.closest("tr");
    if (playing === row && !audio.paused) { audio.pause(); stop(); return; }
    stop();
    playing = row; end = Number(row.dataset.end);
    row.classList.add("playing");
    audio.currentTime = Number(row.dataset.start);
    audio.play();
  });
})();

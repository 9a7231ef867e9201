// ---- Sound, screen and keys ----

function showSound() {
  const has = Boolean(session?.has.audio), on = !video.muted && video.volume > 0;
  $("unmute").hidden = !has || on;
  $("mute").hidden = !has;
  $("mute").setAttribute("aria-pressed", String(on));
  // iPhones keep the volume to themselves.
  $("volume").hidden = !has || !volumeCanBeSet;
  $("volume").value = on ? Math.round(video.volume * 100) : 0;
}

const volumeCanBeSet = (() => {
  const probe = document.createElement("video");
  probe.volume = 0.5;
  return probe.volume === 0.5;
})();

function toggleSound() {
  if (!session?.has.audio) return;
  if (!video.muted && video.volume > 0) video.muted = true;
  else {
    if (video.volume === 0) video.volume = 1;
    video.muted = false;
  }
  video.play().catch(() => {});
}

function setVolume() {
  video.volume = $("volume").value / 100;
  video.muted = video.volume === 0;
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => {});
  // Safari on iPhones knows full screen for the video alone.
  else video.webkitEnterFullscreen?.();
}

const pictureInPicture = document.pictureInPictureEnabled && video.requestPictureInPicture;

function togglePicture() {
  if (!pictureInPicture) return;
  if (document.pictureInPictureElement) document.exitPictureInPicture();
  else video.requestPictureInPicture().catch(() => {});
}

function toggleNumbers() {
  const hide = !$("numbers").hidden;
  $("numbers").hidden = hide;
  $("figures").setAttribute("aria-pressed", String(!hide));
}

function toggleHelp() {
  if ($("help").open) $("help").close();
  else $("help").showModal();
}

$("unmute").onclick = () => { toggleSound(); $("mute").focus(); };
$("mute").onclick = toggleSound;
$("volume").oninput = setVolume;
$("full").onclick = video.ondblclick = toggleFull;
$("pip").onclick = togglePicture;
$("pip").hidden = !pictureInPicture;
$("figures").onclick = toggleNumbers;
$("ask").onclick = toggleHelp;
video.addEventListener("volumechange", showSound);
for (const event of ["enterpictureinpicture", "leavepictureinpicture"]) {
  video.addEventListener(event, () => $("pip").setAttribute("aria-pressed", String(Boolean(document.pictureInPictureElement))));
}
document.addEventListener("fullscreenchange", () => $("full").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement))));
// On a low screen the picture comes first.
if (matchMedia("(max-height: 480px)").matches) toggleNumbers();

const keys = { m: toggleSound, " ": toggleSound, f: toggleFull, p: togglePicture, i: toggleNumbers, "?": toggleHelp };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const act = keys[event.key.toLowerCase()];
  // Space on a button presses the button, and who types a token types.
  const typing = event.target.closest(event.key === " " ? "button, input" : "input:not([type=range])");
  if (!act || typing || ($("help").open && act !== toggleHelp)) return;
  event.preventDefault();
  act();
});

// In full screen the controls go when nobody moves.
let stillness = 0;
for (const event of ["pointermove", "pointerdown", "keydown"]) {
  addEventListener(event, () => {
    document.documentElement.classList.remove("still");
    clearTimeout(stillness);
    stillness = setTimeout(() => document.documentElement.classList.add("still"), 2500);
  });
}

// The stage takes the picture's shape, and what stands below it its width.
video.addEventListener("resize", () => {
  if (video.videoWidth) document.documentElement.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
});
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--width", `${$("stage").clientWidth}px`);
}).observe($("stage"));

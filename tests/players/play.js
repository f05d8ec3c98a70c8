// Runs in the browser: plays one film to its end and back, and says all that went wrong on the way.
// A player mends many faults by itself (it jumps a hole, nudges a stall, tries a request again): each of these is told, none is forgiven.

const video = document.getElementById("video");
const report = { errors: [], ended: 0, seeks: [], tracks: {}, buffered: [], duration: 0, frames: 0, waits: 0 };
const complain = (what, detail) => report.errors.push(detail ? `${what}: ${detail}` : what);

function once(event, seconds, what) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${what}: no ${event} within ${seconds} s at ${video.currentTime.toFixed(3)}`)), seconds * 1000);
    video.addEventListener(event, () => (clearTimeout(late), resolve()), { once: true });
  });
}

async function until(condition, seconds, what) {
  const end = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s at ${video.currentTime.toFixed(3)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Has all been played that there is?
const atTheEdge = () => video.buffered.length > 0 && video.buffered.end(video.buffered.length - 1) - video.currentTime < 0.5;

async function byHls(given) {
  const player = new Hls({ enableWorker: false, ...given.config });
  const waits = (data) => given.grows && data.details === "bufferStalledError" && atTheEdge(); // that is what waiting for more is called
  player.on(Hls.Events.ERROR, (_, data) => waits(data) || complain(`hls.js ${data.details}`, data.error?.message ?? data.reason));
  player.loadSource(given.source);
  player.attachMedia(video);
  await new Promise((resolve) => player.once(Hls.Events.MANIFEST_PARSED, resolve));
  return {
    height: () => player.levels[player.currentLevel]?.height,
    tracks: () => ({
      heights: player.levels.map((level) => level.height).sort((a, b) => b - a),
      audio: player.audioTracks.map((track) => ({ name: track.name, lang: track.lang ?? "", chosen: track.id === player.audioTrack })),
      text: player.subtitleTracks.map((track) => ({ name: track.name, lang: track.lang ?? "" })),
    }),
    change: (height) => (player.currentLevel = player.levels.findIndex((level) => level.height === height)),
    audio: (number) => (player.audioTrack = number),
    text: (number) => ((player.subtitleDisplay = true), (player.subtitleTrack = number)),
  };
}

async function byShaka(given) {
  const player = new shaka.Player();
  await player.attach(video);
  player.configure({ ...given.config });
  for (const [event, of] of [["error", (e) => `${e.detail.code} ${e.detail.data?.join(" ")}`], ["gapjumped", null], ["stalldetected", null]]) {
    player.addEventListener(event, (e) => complain(`shaka ${event}`, of?.(e)));
  }
  await player.load(given.source, given.start);
  const heights = () => [...new Set(player.getVariantTracks().map((track) => track.height))].filter(Boolean).sort((a, b) => b - a);
  return {
    height: () => player.getVariantTracks().find((track) => track.active)?.height,
    tracks: () => ({
      heights: heights(),
      audio: player.getAudioTracks().map((track) => ({ name: track.label ?? "", lang: track.language, chosen: track.active })),
      text: player.getTextTracks().map((track) => ({ name: track.label ?? "", lang: track.language })),
    }),
    change: (height) => {
      player.configure("abr.enabled", false);
      // None is active between the last update of a manifest that grew and the next change: Shaka Player makes its variants anew.
      const now = player.getVariantTracks().find((track) => track.active)?.language;
      player.selectVariantTrack(player.getVariantTracks().find((track) => track.height === height && [undefined, track.language].includes(now)), true);
    },
    audio: (number) => player.selectAudioTrack(player.getAudioTracks()[number]),
    text: (number) => player.selectTextTrack(player.getTextTracks()[number]),
  };
}

async function seek(to) {
  const there = once("seeked", 10, `seek to ${to}`);
  video.currentTime = to;
  await there;
  if (video.paused) await video.play(); // it stopped at the end
  await until(() => video.currentTime > to + 0.1 || video.ended, 10, `playing on after the seek to ${to}`);
  report.seeks.push(to);
}

async function toTheEnd(given) {
  await until(() => video.ended, given.patience ?? 20 + video.duration, "the end");
  report.ended += 1;
}

async function play(given) {
  video.addEventListener("error", () => complain("video", video.error.message));
  video.addEventListener("waiting", () => (report.waits += 1));
  const player = await { hls: byHls, shaka: byShaka }[given.player](given);
  video.playbackRate = given.rate;
  await video.play();
  report.began = video.currentTime;
  await until(() => video.currentTime > report.began, 15, "the first picture");
  report.tracks = player.tracks();
  if (given.text !== undefined) player.text(given.text);
  await toTheEnd(given);
  report.duration = video.duration;
  report.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  // The whole film lies in the buffer by now: a hole in it is a fault of the segments, whether the player got over it or not.
  for (let part = 0; part < video.buffered.length; part++) report.buffered.push([video.buffered.start(part), video.buffered.end(part)]);
  const other = report.tracks.heights.find((height) => height !== player.height());
  if (other) player.change(other);
  await seek(0.5 * video.duration);
  if (given.audio !== undefined) player.audio(given.audio);
  await seek(0.1 * video.duration);
  await seek(0.8 * video.duration);
  await toTheEnd(given);
  report.cues = [...video.textTracks].flatMap((track) => [...(track.cues ?? [])].map((cue) => cue.text));
  report.changed = { wanted: other, got: player.height() };
  report.chosen = player.tracks();
}

window.film = async (given) => {
  const end = new Promise((_, reject) => setTimeout(() => reject(new Error(`not done at ${video.currentTime.toFixed(3)}`)), 1000 * (50 + (given.patience ?? 20))));
  try {
    await Promise.race([play(given), end]);
  } catch (problem) {
    complain("played", problem.message);
  }
  report.seconds = performance.now() / 1000;
  return report;
};

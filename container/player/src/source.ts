/** What plays: hls.js where Media Source Extensions exist, the browser's own HLS elsewhere (older iPhones). */

import Hls, { ErrorTypes, Events, type ErrorData, type Level } from "hls.js";

export interface Source {
  /** Null where the browser plays HLS itself. */
  readonly hls: Hls | null;
  /** Names of the renditions, best first ("720p"); none where the browser chooses. */
  qualities(): string[];
  /** The rendition on screen, or "" when unknown. */
  currentQuality(): string;
  /** "" is automatic, as is a name that this broadcast does not have. */
  selectQuality(name: string): void;
  /** Seconds between now and the wall-clock time stamped on the frame on screen, or null. */
  latencySeconds(): number | null;
  /** Media sequence number of the newest segment known, or -1. */
  newest(): number;
  isBehind(): boolean;
  seekToLive(): void;
  close(): void;
}

export interface SourceEvents {
  onQualities(): void;
  /** Nothing more comes by itself: open a new source when the broadcast is seen again. */
  onLost(reason: string): void;
  onEnded(): void;
}

const BEHIND_SECONDS = 4; // beyond the target: further than the player catches up by playing faster
const MEDIA_ERROR_WINDOW_MS = 5_000;
const SMOOTH_MS = 30_000;
const IMPLAUSIBLE_LATENCY_SECONDS = 300; // then the clocks differ, and hls.js's own estimate is better

/** `quality` is what the viewer chose on an earlier source, or "". */
export function openSource(video: HTMLVideoElement, master: string, quality: string, events: SourceEvents): Source {
  return Hls.isSupported() ? openHls(video, master, quality, events) : openNative(video, master, events);
}

function openHls(video: HTMLVideoElement, master: string, quality: string, events: SourceEvents): Source {
  const retries = { maxNumRetry: 4, retryDelayMs: 500, maxRetryDelayMs: 2_000 };
  const hls = new Hls({
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1.1, // the default, 1, never catches up
    backBufferLength: 20, // the default keeps a whole show in memory
    abrEwmaDefaultEstimate: 5_000_000, // bit/s, until measured: 720p at once; browsers' own guesses say 1.6 on a LAN
    testBandwidth: false, // the test is two seconds of the lowest rendition in front of everyone's eyes
    playlistLoadPolicy: {
      default: {
        // A blocking reload is held for up to three target durations when the publisher pauses.
        maxTimeToFirstByteMs: 12_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: retries,
      },
    },
  });
  let lastMediaErrorAt = -Infinity;
  let open = true;

  const onError = (data: ErrorData): void => {
    if (!data.fatal) {
      return;
    }
    const now = performance.now();
    if (data.type === ErrorTypes.MEDIA_ERROR && now - lastMediaErrorAt > MEDIA_ERROR_WINDOW_MS) {
      lastMediaErrorAt = now;
      hls.recoverMediaError();
    } else {
      events.onLost(`${data.type}: ${data.details}`);
    }
  };
  const select = (name: string): void => {
    hls.nextLevel = hls.levels.findIndex((level) => nameOf(level) === name); // at a segment: the picture goes on
  };
  const forgive = forgiveStalls(hls);
  hls.on(Events.ERROR, (_event, data) => onError(data));
  hls.on(Events.MANIFEST_PARSED, () => {
    if (quality !== "") {
      select(quality);
    }
    events.onQualities();
  });
  hls.on(Events.LEVEL_SWITCHED, () => events.onQualities());
  hls.on(Events.LEVEL_LOADED, (_event, data) => {
    // Over before anything was shown: a page opened after the end must not play its last seconds.
    if (!data.details.live && video.readyState === HTMLMediaElement.HAVE_NOTHING) {
      events.onEnded();
    }
  });
  const onEnded = (): void => events.onEnded();
  video.addEventListener("ended", onEnded);
  hls.loadSource(master);
  hls.attachMedia(video);

  return {
    hls,
    qualities: () => [...hls.levels].sort((one, other) => other.bitrate - one.bitrate).map(nameOf),
    currentQuality: () => {
      const level = hls.levels[hls.currentLevel];
      return level ? nameOf(level) : "";
    },
    selectQuality: select,
    latencySeconds: () => {
      const stamped = hls.playingDate;
      const seconds = stamped ? (Date.now() - stamped.getTime()) / 1000 : Number.NaN;
      return seconds >= 0 && seconds < IMPLAUSIBLE_LATENCY_SECONDS ? seconds : hls.latency || null;
    },
    newest: () => hls.latestLevelDetails?.endSN ?? -1,
    isBehind: () => hls.latency > (hls.targetLatency ?? 0) + BEHIND_SECONDS,
    seekToLive: () => {
      if (hls.liveSyncPosition !== null) {
        video.currentTime = hls.liveSyncPosition;
      }
    },
    close: () => {
      if (open) {
        open = false;
        clearInterval(forgive);
        video.removeEventListener("ended", onEnded);
        hls.destroy();
      }
    },
  };
}

/** The short side, so that a portrait broadcast has the same names. */
function nameOf(level: Level): string {
  return `${Math.min(level.height, level.width)}p`;
}

/**
 * hls.js keeps a second more of distance for every stall and never takes it back; a publisher who paused once would
 * leave all viewers late for the rest of the show. Each time it is taken back, the next time comes later.
 */
function forgiveStalls(hls: Hls): ReturnType<typeof setInterval> {
  let smoothSince = performance.now();
  let patience = SMOOTH_MS;
  let stalled = false;
  hls.on(Events.ERROR, (_event, data) => {
    if (data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) {
      stalled = true;
      smoothSince = performance.now();
    }
  });
  return setInterval(() => {
    const details = hls.latestLevelDetails;
    if (stalled && details && performance.now() - smoothSince > patience) {
      hls.targetLatency = details.partHoldBack || details.holdBack || details.targetduration * 3;
      stalled = false;
      patience *= 2;
    }
  }, 1_000);
}

function openNative(video: HTMLVideoElement, master: string, events: SourceEvents): Source {
  const onError = (): void => events.onLost(video.error?.message || "the browser cannot play this broadcast");
  const onEnded = (): void => events.onEnded();
  video.addEventListener("error", onError);
  video.addEventListener("ended", onEnded);
  video.src = master;
  const started = (): Date | null => {
    const safari = video as HTMLVideoElement & { getStartDate?: () => Date };
    const date = safari.getStartDate?.();
    return date && !Number.isNaN(date.getTime()) ? date : null;
  };
  const edge = (): number => (video.seekable.length > 0 ? video.seekable.end(video.seekable.length - 1) : 0);
  return {
    hls: null,
    qualities: () => [], // the browser chooses and does not say
    currentQuality: () => "",
    selectQuality: () => undefined,
    latencySeconds: () => {
      const date = started();
      return date ? (Date.now() - date.getTime()) / 1000 - video.currentTime : null;
    },
    newest: () => -1,
    isBehind: () => edge() - video.currentTime > BEHIND_SECONDS * 2,
    seekToLive: () => {
      video.currentTime = edge();
    },
    close: () => {
      video.removeEventListener("error", onError);
      video.removeEventListener("ended", onEnded);
      video.removeAttribute("src");
      video.load();
    },
  };
}

/** One broadcast as a viewer meets it: not yet there, on air, interrupted, over, and on air again. */

import { openSource, type Source } from "./source.js";
import { isPublished, look } from "./sighting.js";

export type State = "waiting" | "starting" | "live" | "reconnecting" | "ended";

export interface BroadcastEvents {
  onState(state: State): void;
  onQualities(): void;
  /** What the browser forbids before the viewer has touched the page: the sound, or (phones saving power) all. */
  onHeldBack(what: "sound" | "picture"): void;
}

// Most who wait came minutes early, not hours.
const POLL_MS = 400;
const POLL_LATER_MS = 1_500;
const POLL_LATER_AFTER_MS = 120_000;
const DRY_MS = 700; // shorter gaps need no words
const STANDS_MS = 1_500;
const GRACE_MS = 1_500; // for hls.js to go on by itself; doubled by each new source that did not help
const LONGEST_GRACE_MS = 60_000;
const SMOOTH_MS = 30_000;
const GIVE_UP_MS = 15_000; // then an absent broadcast is "waiting", not "reconnecting"

export class Broadcast {
  state: State = "waiting";
  source: Source | null = null;

  private hasPlayed = false;
  private search = 0; // the number of the latest search; a search with another number stops
  private searching = false;
  private dryTimer: ReturnType<typeof setTimeout> | undefined;
  private playingSince = 0;
  private movedAt = 0;
  private position = 0;
  private newest = -1; // media sequence number of the newest segment when the picture last moved
  private progressAt: number | null = null; // since when the broadcast is known to be further than that
  private grace = GRACE_MS;
  private quality = "";
  /** Who wants it to stand still. A media element that was reset is paused as well, and nobody wanted that. */
  private heldBy: "viewer" | "browser" | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly master: string,
    private readonly events: BroadcastEvents,
  ) {
    video.addEventListener("playing", () => this.onPlaying());
    video.addEventListener("waiting", () => this.onDry());
    video.addEventListener("play", () => this.onPlay());
    video.addEventListener("pause", () => this.onPause());
    video.addEventListener("loadeddata", () => this.onPicture());
    void this.watch();
  }

  start(): void {
    this.events.onState(this.state);
    void this.seek(() => isPublished(this.master));
  }

  /** "" is automatic. The choice outlives a reconnect. */
  selectQuality(name: string): void {
    this.quality = name;
    this.source?.selectQuality(name);
  }

  /** Polls until `seen` says yes, then opens a new source. Only the latest search counts. */
  private async seek(seen: () => Promise<boolean>): Promise<void> {
    this.search += 1;
    this.searching = true;
    const mine = this.search;
    const since = performance.now();
    while (!(await seen())) {
      const waited = performance.now() - since;
      if (mine !== this.search) {
        return;
      }
      if (this.state === "reconnecting" && waited > GIVE_UP_MS) {
        this.close();
        this.enter("waiting");
      }
      // Spread over the interval, so that pages that were opened together do not ask together.
      await pause((waited > POLL_LATER_AFTER_MS ? POLL_LATER_MS : POLL_MS) * (0.75 + Math.random() / 2));
    }
    if (mine === this.search) {
      this.searching = false;
      this.open();
    }
  }

  private open(): void {
    this.source?.close();
    if (this.state !== "reconnecting") {
      this.enter("starting");
    }
    this.movedAt = performance.now();
    this.newest = -1;
    this.progressAt = null;
    const source = openSource(this.video, this.master, this.quality, {
      onQualities: () => {
        if (this.source === source) {
          this.events.onQualities();
        }
      },
      onLost: (reason) => this.onLost(reason),
      onEnded: () => this.onEnded(),
    });
    this.source = source;
    if (this.heldBy !== "viewer") {
      void this.play();
    }
  }

  private async play(): Promise<void> {
    if (await this.mayPlay()) {
      return;
    }
    if (!this.video.muted) {
      this.video.muted = true;
      this.events.onHeldBack("sound");
      if (await this.mayPlay()) {
        return;
      }
    }
    this.heldBy = "browser";
    this.events.onHeldBack("picture");
  }

  private async mayPlay(): Promise<boolean> {
    try {
      await this.video.play();
    } catch (error) {
      return (error as DOMException).name !== "NotAllowedError"; // a new source or a pause in between is no refusal
    }
    return true;
  }

  private onPlaying(): void {
    clearTimeout(this.dryTimer);
    this.search += 1;
    this.searching = false;
    this.hasPlayed = true;
    this.playingSince = performance.now();
    this.enter("live");
  }

  /** A new source while the viewer pauses: there is a picture again, and nothing will say "playing". */
  private onPicture(): void {
    if (this.state === "reconnecting" && this.video.paused) {
      this.onPlaying();
    }
  }

  private onDry(): void {
    clearTimeout(this.dryTimer);
    if (this.state === "live") {
      this.dryTimer = setTimeout(() => {
        if (this.state === "live" && this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
          this.enter("reconnecting");
        }
      }, DRY_MS);
    }
  }

  /** Who comes back from a pause wants what is on now. */
  private onPlay(): void {
    this.heldBy = null;
    if (this.hasPlayed && this.source?.isBehind()) {
      this.source.seekToLive();
    }
  }

  /** A reset of the media element fires no event, its end does. */
  private onPause(): void {
    if (!this.video.ended) {
      this.heldBy = "viewer";
    }
  }

  /** Keeps the last picture on screen until there is a new one. */
  private onLost(reason: string): void {
    console.warn(`player: ${reason}`);
    this.enter(this.hasPlayed ? "reconnecting" : "waiting");
    void this.seek(async () => (await look(this.master)).state === "live");
  }

  private onEnded(): void {
    this.close();
    this.enter("ended");
    void this.seek(async () => (await look(this.master)).state === "live");
  }

  private close(): void {
    clearTimeout(this.dryTimer);
    this.source?.close();
    this.source = null;
    this.hasPlayed = false;
    this.heldBy = null;
  }

  /** Catches what fires no event: a picture that stands still although the broadcast goes on. */
  private async watch(): Promise<never> {
    for (;;) {
      await pause(500);
      if (this.video.paused && this.heldBy === null && this.state === "live") {
        await this.play();
      }
      if (this.isMoving()) {
        this.movedAt = performance.now();
        this.progressAt = null;
      } else if (performance.now() - this.movedAt > STANDS_MS) {
        await this.mend();
      }
    }
  }

  private isMoving(): boolean {
    const { currentTime } = this.video;
    if (currentTime !== this.position && this.source) {
      this.position = currentTime;
      this.newest = this.source.newest();
      if (performance.now() - this.playingSince > SMOOTH_MS) {
        this.grace = GRACE_MS;
      }
      return true;
    }
    return this.heldBy !== null || !this.source || this.searching || this.state === "ended";
  }

  private async mend(): Promise<void> {
    const sighting = await look(this.master);
    if (sighting.state !== "live" || sighting.newest <= this.newest || this.isMoving()) {
      return;
    }
    this.progressAt ??= performance.now();
    if (performance.now() - this.progressAt > this.grace) {
      this.grace = Math.min(this.grace * 2, LONGEST_GRACE_MS);
      this.onLost("the picture stands still");
    }
  }

  private enter(state: State): void {
    if (state !== this.state) {
      this.state = state;
      this.events.onState(state);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

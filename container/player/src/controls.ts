/** The page around the picture: words, buttons, keys. */

import type { Broadcast, State } from "./broadcast.js";

const WORDS: Record<State, [status: string, hint: string]> = {
  waiting: ["Waiting for the broadcast", "It starts here by itself."],
  starting: ["Starting", ""],
  live: ["Live", ""],
  reconnecting: ["Reconnecting", "The broadcast was interrupted."],
  ended: ["The broadcast has ended", "If it goes on air again, it plays here by itself."],
};
const LATENCY_EVERY_MS = 500;
const IDLE_MS = 3_000;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(`no element #${id} in the page`);
  }
  return found as T;
}

export class Controls {
  readonly video = element<HTMLVideoElement>("video");

  private readonly player = element("player");
  private readonly allow = element<HTMLButtonElement>("allow");
  private readonly playButton = element<HTMLButtonElement>("play");
  private readonly soundButton = element<HTMLButtonElement>("sound");
  private readonly liveButton = element<HTMLButtonElement>("live");
  private readonly fullButton = element<HTMLButtonElement>("full");
  private readonly quality = element<HTMLSelectElement>("quality");
  private broadcast: Broadcast | null = null;
  private idleTimer: ReturnType<typeof setTimeout> | undefined;

  attach(broadcast: Broadcast, title: string): void {
    this.broadcast = broadcast;
    element("title").textContent = title;
    document.title = `${title} · live`;
    this.playButton.addEventListener("click", () => this.togglePlay());
    this.soundButton.addEventListener("click", () => this.toggleSound());
    this.liveButton.addEventListener("click", () => this.goLive());
    this.fullButton.addEventListener("click", () => void this.toggleFull());
    this.allow.addEventListener("click", () => this.allowed());
    this.video.addEventListener("click", () => this.togglePlay());
    this.quality.addEventListener("change", () => broadcast.selectQuality(this.quality.value));
    for (const event of ["play", "pause", "volumechange"]) {
      this.video.addEventListener(event, () => this.showButtons());
    }
    this.video.addEventListener("resize", () => this.showShape());
    document.addEventListener("fullscreenchange", () => this.showButtons());
    document.addEventListener("keydown", (event) => this.onKey(event));
    for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      this.player.addEventListener(event, () => this.stayAwake());
    }
    setInterval(() => this.showLatency(), LATENCY_EVERY_MS);
    this.showButtons();
  }

  showState(state: State): void {
    const [status, hint] = WORDS[state];
    document.body.dataset["state"] = state;
    this.say(status, hint);
    this.showLatency();
    if (state === "waiting" || state === "ended") {
      this.allow.hidden = true;
      element("quality-label").hidden = true;
    }
  }

  /** For what no broadcast can mend, as a wrong address. */
  showFault(status: string, hint: string): void {
    document.body.dataset["state"] = "fault";
    this.say(status, hint);
  }

  showQualities(): void {
    const source = this.broadcast?.source;
    const names = source?.qualities() ?? [];
    element("quality-label").hidden = names.length < 2;
    const current = source?.currentQuality() ?? "";
    const chosen = this.quality.value;
    const wanted = [["", current && chosen === "" ? `Auto (${current})` : "Auto"], ...names.map((name) => [name, name])];
    // Options are changed in place: replacing them closes a menu that the viewer has open.
    while (this.quality.options.length > wanted.length) {
      this.quality.remove(this.quality.options.length - 1);
    }
    wanted.forEach(([value = "", label = ""], index) => {
      const option = this.quality.options[index] ?? this.quality.appendChild(document.createElement("option"));
      if (option.value !== value || option.text !== label || index === 0) {
        option.value = value;
        option.text = label;
      }
    });
    this.quality.value = names.includes(chosen) ? chosen : "";
  }

  showHeldBack(what: "sound" | "picture"): void {
    this.allow.textContent = what === "sound" ? "Play with sound" : "Play";
    this.allow.hidden = false;
  }

  private say(status: string, hint: string): void {
    element("status").textContent = status;
    element("hint").textContent = hint;
  }

  private showLatency(): void {
    const source = this.broadcast?.source;
    const playing = document.body.dataset["state"] === "live" && !this.video.paused;
    const seconds = playing ? (source?.latencySeconds() ?? null) : null;
    element("latency").textContent = seconds === null ? "" : `${seconds.toFixed(1)} s`;
    const behind = document.body.dataset["state"] === "live" && (this.video.paused || (source?.isBehind() ?? false));
    this.liveButton.dataset["behind"] = String(behind);
    this.liveButton.setAttribute("aria-label", behind ? "Go to live" : "Live");
  }

  private showButtons(): void {
    const full = document.fullscreenElement !== null;
    toggle(this.playButton, !this.video.paused, this.video.paused ? "Play" : "Pause");
    toggle(this.soundButton, !this.video.muted, this.video.muted ? "Turn sound on" : "Turn sound off");
    toggle(this.fullButton, full, full ? "Leave full screen" : "Full screen");
    if (!this.video.muted && !this.video.paused) {
      this.allow.hidden = true;
    }
    this.showLatency();
  }

  private showShape(): void {
    if (this.video.videoWidth > 0) {
      this.player.style.setProperty("--ratio", `${this.video.videoWidth} / ${this.video.videoHeight}`);
    }
  }

  private togglePlay(): void {
    if (this.video.paused) {
      void this.video.play().catch(() => undefined); // nothing to play yet is no fault
    } else {
      this.video.pause();
    }
  }

  private toggleSound(): void {
    this.video.muted = !this.video.muted;
  }

  private allowed(): void {
    this.allow.hidden = true;
    this.video.muted = false;
    void this.video.play().catch(() => undefined);
    this.soundButton.focus(); // the button that had the focus is gone
  }

  private goLive(): void {
    this.broadcast?.source?.seekToLive();
    if (this.video.paused) {
      this.togglePlay();
    }
  }

  private async toggleFull(): Promise<void> {
    const phone = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenElement !== null) {
      await document.exitFullscreen();
    } else if (this.player.requestFullscreen) {
      await this.player.requestFullscreen();
    } else {
      phone.webkitEnterFullscreen?.(); // iPhones give the whole screen to a video only
    }
  }

  private onKey(event: KeyboardEvent): void {
    const onControl = (event.target as HTMLElement).matches("button, select");
    if (event.altKey || event.ctrlKey || event.metaKey || (onControl && (event.key === " " || event.key === "Enter"))) {
      return;
    }
    if (event.target === this.quality) {
      return; // letters choose an option there
    }
    const actions: Record<string, () => void> = {
      " ": () => this.togglePlay(),
      k: () => this.togglePlay(),
      m: () => this.toggleSound(),
      l: () => this.goLive(),
      f: () => void this.toggleFull(),
    };
    const action = actions[event.key.toLowerCase()];
    if (action) {
      event.preventDefault();
      action();
    }
  }

  /** In full screen the controls leave when nobody touches anything. */
  private stayAwake(): void {
    clearTimeout(this.idleTimer);
    delete this.player.dataset["idle"];
    this.idleTimer = setTimeout(() => {
      this.player.dataset["idle"] = "";
    }, IDLE_MS);
  }
}

function toggle(button: HTMLButtonElement, on: boolean, label: string): void {
  button.dataset["on"] = String(on);
  button.setAttribute("aria-label", label);
  button.title = label;
}

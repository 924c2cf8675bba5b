import type Hls from "hls.js";
import { broadcastId, masterUrl, originUrl } from "./address.js";
import { Broadcast, type State } from "./broadcast.js";
import { Controls } from "./controls.js";

declare global {
  interface Window {
    /** For tests and for a look from the browser's console. */
    player: {
      readonly state: State;
      readonly hls: Hls | null;
      readonly latencySeconds: number | null;
    };
  }
}

const controls = new Controls();
const id = broadcastId(location.pathname);
if (id === null) {
  controls.showFault("No broadcast chosen", "The address of a broadcast is /live/ and its id.");
} else {
  await watch(id);
}

async function watch(id: string): Promise<void> {
  const broadcast = new Broadcast(controls.video, masterUrl(await originUrl(location), id), {
    onState: (state) => controls.showState(state),
    onQualities: () => controls.showQualities(),
    onHeldBack: (what) => controls.showHeldBack(what),
  });
  controls.attach(broadcast, id);
  window.player = {
    get state() {
      return broadcast.state;
    },
    get hls() {
      return broadcast.source?.hls ?? null;
    },
    get latencySeconds() {
      return broadcast.source?.latencySeconds() ?? null;
    },
  };
  broadcast.start();
}

/** Looking for a broadcast without playing it. */

const ANSWER_WITHIN_MS = 12_000; // the origin holds playlists until there is a complete segment, ten seconds at most

export interface Sighting {
  state: "absent" | "live" | "ended";
  /** Media sequence number of the newest complete segment; -1 when there is none. */
  newest: number;
}

const ABSENT: Sighting = { state: "absent", newest: -1 };

/** A master playlist is there; whether anything new comes is not asked, so that the answer is quick. */
export async function isPublished(master: string): Promise<boolean> {
  return (await playlist(master)) !== null;
}

/** Reads the first media playlist as well, to tell a live broadcast from the remains of an ended one. */
export async function look(master: string): Promise<Sighting> {
  const text = await playlist(master);
  const first = text?.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#"));
  const media = first ? await playlist(new URL(first.trim(), master).href) : null;
  if (media === null) {
    return ABSENT;
  }
  const start = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(media)?.[1] ?? 0);
  // A delta update is never asked for here, so counting EXTINF counts all segments.
  const segments = media.match(/^#EXTINF:/gm)?.length ?? 0;
  return { state: /^#EXT-X-ENDLIST/m.test(media) ? "ended" : "live", newest: start + segments - 1 };
}

async function playlist(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return response.ok ? await response.text() : null; // 404 is how an origin says "not yet"
  } catch {
    return null; // an origin that restarts refuses connections; to a viewer that is the same
  }
}

/** Where the page's broadcast is: its id from the path, its origin from the query, config.json or the page's host. */

const HLS_PORT = 8080;

/** The id in `/live/<id>`, or null; the same alphabet as the origin allows. */
export function broadcastId(path: string): string | null {
  return /^\/live\/([A-Za-z0-9_-]{1,128})\/?$/.exec(path)?.[1] ?? null;
}

/** `?origin=` beats `hlsBaseUrl` in config.json beats port 8080 of the page's own host. */
export async function originUrl(page: Location): Promise<string> {
  const asked = new URLSearchParams(page.search).get("origin") ?? (await configuredOrigin());
  const url = new URL(asked || `${page.protocol}//${page.hostname}:${HLS_PORT}`);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`origin must be an http or https address, got ${url.href}`);
  }
  return url.href.replace(/\/+$/, "");
}

export function masterUrl(origin: string, id: string): string {
  return `${origin}/hls/${id}/master.m3u8`;
}

async function configuredOrigin(): Promise<string> {
  try {
    const response = await fetch("/config.json", { cache: "no-cache" });
    const config: { hlsBaseUrl?: string } = response.ok ? await response.json() : {};
    return config.hlsBaseUrl ?? "";
  } catch {
    return ""; // served without a config.json: the default holds
  }
}

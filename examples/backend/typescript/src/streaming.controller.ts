import { randomBytes, timingSafeEqual } from 'node:crypto';

import { Body, Controller, ForbiddenException, Headers, HttpCode, Post, UnauthorizedException } from '@nestjs/common';

/** What a task sends, as a form: the stream key, the application (live) and the publisher's address. */
interface Publisher {
  name?: unknown;
  app?: unknown;
  addr?: unknown;
}

/** Who may publish, and under which name viewers see it: docs/backend.md is the contract. Keys belong into a table. */
@Controller('api/streaming')
export class StreamingController {
  private readonly playbackIds = new Map<string, string>();
  private readonly token = process.env.BACKEND_TOKEN ?? ''; // what [backend] token_secret_arn holds

  /** For the streamer who is signed in. Whoever has the key can broadcast; the playback id may be told to anybody. */
  @Post('generate-key')
  generateKey(): { streamKey: string; playbackId: string } {
    const streamKey = randomBytes(24).toString('base64url');
    const playbackId = randomBytes(8).toString('hex');
    this.playbackIds.set(streamKey, playbackId);
    return { streamKey, playbackId };
  }

  /** What a task asks before it lets a publisher in. */
  @Post('auth')
  @HttpCode(200)
  auth(@Body() publisher: Publisher, @Headers('authorization') given = ''): { success: true; playbackId: string } {
    if (this.token && !same(given, `Bearer ${this.token}`)) {
      throw new UnauthorizedException('this is for the streaming tasks only');
    }
    const playbackId = typeof publisher.name === 'string' ? this.playbackIds.get(publisher.name) : undefined;
    if (!playbackId) {
      throw new ForbiddenException('unknown stream key');
    }
    return { success: true, playbackId };
  }
}

function same(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}

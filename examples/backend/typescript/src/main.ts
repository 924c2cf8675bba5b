import 'reflect-metadata';

import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { StreamingController } from './streaming.controller.js';

@Module({ controllers: [StreamingController] })
class ShopModule {}

const app = await NestFactory.create(ShopModule, { logger: ['error', 'warn'] });
await app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1');

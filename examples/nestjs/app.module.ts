import { fileURLToPath } from 'node:url';
import { DbManagerModule } from '@dbmanager/nestjs';
import { Module } from '@nestjs/common';
import { UsersModule } from './users/users.module.js';

// From the folder `dist`, where this file is compiled to.
const file = fileURLToPath(new URL('../dbmanager.yaml', import.meta.url));

@Module({ imports: [DbManagerModule.forRoot({ file }), UsersModule] })
export class AppModule {}

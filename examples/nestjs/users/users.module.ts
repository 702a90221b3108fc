import { DbManagerModule } from '@dbmanager/nestjs';
import { Module } from '@nestjs/common';
import { User } from './user.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

@Module({
  imports: [DbManagerModule.forFeature('primary', { typeorm: { entities: [User], synchronize: true }, knex: true })],
  controllers: [UsersController],
  providers: [UsersService],
})
export class UsersModule {}

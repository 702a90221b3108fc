import { Body, ConflictException, Controller, Get, Inject, Post } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import type { User } from './user.js';
import { UsersService } from './users.service.js';

@Controller('users')
export class UsersController {
  constructor(@Inject(UsersService) private readonly users: UsersService) {}

  @Get()
  all(): Promise<User[]> {
    return this.users.all();
  }

  @Get('log')
  log(): Promise<string[]> {
    return this.users.log();
  }

  @Post()
  async create(@Body() { name }: { readonly name: string }): Promise<User> {
    try {
      return await this.users.create(name);
    } catch (error) {
      throw error instanceof QueryFailedError ? new ConflictException(`there is a user "${name}"`) : error;
    }
  }
}

import { InjectConnection, InjectKnex, InjectTypeorm } from '@dbmanager/nestjs';
import { Injectable } from '@nestjs/common';
import type { Connection } from 'dbmanager';
import type { Knex } from 'knex';
import type { DataSource } from 'typeorm';
import { User } from './user.js';

@Injectable()
export class UsersService {
  constructor(
    @InjectConnection('primary') private readonly primary: Connection,
    @InjectTypeorm('primary') private readonly typeorm: DataSource,
    @InjectKnex('primary') private readonly knex: Knex,
  ) {}

  all(): Promise<User[]> {
    return this.typeorm.getRepository(User).find({ order: { id: 'asc' } });
  }

  /** The user by TypeORM and its entry in the log by Knex, in one transaction. */
  create(name: string): Promise<User> {
    return this.primary.transaction(async (tx) => {
      await tx
        .knex()('log')
        .insert({ entry: `created ${name}` });
      return tx.typeorm().save(User, { name });
    });
  }

  log(): Promise<string[]> {
    return this.knex('log').orderBy('id').pluck('entry');
  }
}

/**
 * An application as TypeORM's documentation shows it (typeorm.io: "Many-to-one / one-to-many relations", "Many-to-many
 * relations", "Custom repositories", "Cascades", "Transactions"); only where the data source comes from is ours.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Connection } from 'dbmanager';
import { ConnectionManager } from 'dbmanager';
import {
  Column,
  CreateDateColumn,
  type DataSource,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';
import { ALL_SQL_ENGINES, rejection, type SqlDatabase, until } from '../support/sql-engines.js';

@Entity()
class Profile {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  gender!: string;
}

@Entity()
class Photo {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  url!: string;

  @ManyToOne(
    () => User,
    (user) => user.photos,
    { onDelete: 'CASCADE' },
  )
  user!: Relation<User>;
}

@Entity()
class Category {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ unique: true })
  name!: string;
}

@Entity()
class Question {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @ManyToMany(() => Category, { cascade: true })
  @JoinTable()
  categories!: Category[];
}

@Entity()
class User {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  firstName!: string;

  @Column()
  lastName!: string;

  @Column({ default: true })
  isActive!: boolean;

  @CreateDateColumn()
  createdAt!: Date;

  @OneToMany(
    () => Photo,
    (photo) => photo.user,
    { cascade: true },
  )
  photos!: Photo[];

  @OneToOne(() => Profile, { cascade: true, nullable: true })
  @JoinColumn()
  profile!: Profile | null;
}

const userRepositoryOf = (dataSource: DataSource) =>
  dataSource.getRepository(User).extend({
    findByName(firstName: string, lastName: string) {
      return this.createQueryBuilder('user')
        .where('user.firstName = :firstName', { firstName })
        .andWhere('user.lastName = :lastName', { lastName })
        .getMany();
    },
  });

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('An application of TypeORM', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;
    let AppDataSource: DataSource;

    beforeAll(async () => {
      database = await engine.create();
      manager = new ConnectionManager({ defaultConnection: undefined, connections: [database.config({})] });
      await manager.connect();
      connection = manager.get('test');
      AppDataSource = await connection.typeorm({
        entities: [User, Photo, Profile, Question, Category],
        synchronize: true,
      });
    }, 60_000);

    afterAll(async () => {
      await until(() => connection.counts.inUse === 0);
      await manager?.close();
      await database?.drop();
    });

    beforeEach(async () => {
      for (const entity of [Photo, User, Profile, Question, Category]) {
        await AppDataSource.createQueryBuilder().delete().from(entity).execute();
      }
      await AppDataSource.query('delete from question_categories_category');
    });

    const timber = () =>
      AppDataSource.getRepository(User).create({
        firstName: 'Timber',
        lastName: 'Saw',
        profile: { gender: 'male' },
        photos: [{ url: 'me.jpg' }, { url: 'me-and-bears.jpg' }],
      });

    it('saves what is related by cascades, and loads it by find options and by query builder', async () => {
      const userRepository = AppDataSource.getRepository(User);
      const saved = await userRepository.save(timber());
      expect(saved.createdAt).toBeInstanceOf(Date);

      const [user] = await userRepository.find({
        relations: { profile: true, photos: true },
        where: { photos: { url: 'me.jpg' }, isActive: true },
      });
      expect(user).toMatchObject({ id: saved.id, profile: { gender: 'male' }, photos: [{ url: 'me.jpg' }] });

      const loaded = await AppDataSource.getRepository(User)
        .createQueryBuilder('user')
        .leftJoinAndSelect('user.photos', 'photo')
        .orderBy('photo.url', 'DESC')
        .getOneOrFail();
      expect(loaded.photos.map(({ url }) => url)).toEqual(['me.jpg', 'me-and-bears.jpg']);
    });

    it('has relations of many to many, and removes from them', async () => {
      const categories = [{ name: 'animals' }, { name: 'zoo' }];
      const questions = AppDataSource.getRepository(Question);
      await questions.save(questions.create({ title: 'dogs', categories }));

      const question = await questions.findOneOrFail({ relations: { categories: true }, where: { title: 'dogs' } });
      question.categories = question.categories.filter(({ name }) => name !== 'zoo');
      await questions.save(question);
      await expect(questions.find({ relations: { categories: true } })).resolves.toMatchObject([
        { title: 'dogs', categories: [{ name: 'animals' }] },
      ]);
      await AppDataSource.createQueryBuilder()
        .relation(Question, 'categories')
        .of(question)
        .remove(question.categories);
      await expect(questions.findOne({ relations: { categories: true }, where: {} })).resolves.toMatchObject({
        categories: [],
      });
    });

    it('has repositories of its own making, also inside a transaction', async () => {
      const users = userRepositoryOf(AppDataSource);
      await users.save(timber());
      await expect(users.findByName('Timber', 'Saw')).resolves.toHaveLength(1);
      await AppDataSource.transaction(async (manager) => {
        const usersInside = manager.withRepository(users);
        await usersInside.save(timber());
        await expect(usersInside.findByName('Timber', 'Saw')).resolves.toHaveLength(2);
        await expect(users.findByName('Timber', 'Saw')).resolves.toHaveLength(1);
      });
      await expect(users.count()).resolves.toBe(2);
    });

    it('controls a transaction by its query runner', async () => {
      const queryRunner = AppDataSource.createQueryRunner();
      await queryRunner.connect();
      await queryRunner.startTransaction();
      try {
        await queryRunner.manager.save(timber());
        await queryRunner.manager.insert(Category, { name: 'twice' });
        await queryRunner.manager.insert(Category, { name: 'twice' });
        await queryRunner.commitTransaction();
      } catch {
        await queryRunner.rollbackTransaction();
      } finally {
        await queryRunner.release();
      }
      await expect(AppDataSource.getRepository(User).count()).resolves.toBe(0);
      await expect(AppDataSource.getRepository(Category).count()).resolves.toBe(0);
    });

    it('does the same in a transaction that others are in, with the repositories it already has', async () => {
      const users = userRepositoryOf(AppDataSource);
      const work = connection.transaction(async (tx) => {
        const saved = await tx.typeorm().withRepository(users).save(timber());
        const rows = await tx.knex()('photo').where({ userId: saved.id });
        expect(rows).toHaveLength(2);
        await tx.typeorm().remove(saved);
        await expect(tx.knex()('photo')).resolves.toEqual([]);
        await tx.typeorm().withRepository(users).save(timber());
        throw new Error('no');
      });
      await expect(rejection(work)).resolves.toMatchObject({ message: 'no' });
      await expect(users.count()).resolves.toBe(0);
    });
  });
}

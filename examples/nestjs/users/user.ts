import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity({ name: 'users' })
export class User {
  @PrimaryGeneratedColumn()
  readonly id!: number;

  @Column('text', { unique: true })
  readonly name!: string;
}

// The tables of the stores: sessions, tenants, rate limits and their kin.
import { storeMigration } from 'dbmanager';

export const { description, up, down } = storeMigration({ type: 'sqlite', version: 1n });

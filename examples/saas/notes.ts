import type { RepositoryOptions } from 'dbmanager';

export interface Note {
  id: number;
  tenant_id: string;
  author: string;
  text: string;
  created_at: Date;
  deleted_at: Date | null;
}

export const NOTES: RepositoryOptions<Note> = {
  table: 'notes',
  columns: {
    id: 'integer',
    tenant_id: 'text',
    author: 'text',
    text: 'text',
    created_at: 'date',
    deleted_at: 'date?',
  },
  deletedAt: 'deleted_at',
};

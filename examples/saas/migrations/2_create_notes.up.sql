create table notes (
  id integer primary key,
  tenant_id text not null,
  author text not null,
  text text not null,
  created_at text not null,
  deleted_at text
);
create index notes_of_tenant on notes (tenant_id, created_at);

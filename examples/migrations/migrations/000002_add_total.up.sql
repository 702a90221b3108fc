alter table orders add column total integer;

create table orders (id integer primary key, price integer not null, amount integer not null);
insert into orders (price, amount)
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 10000)
  select n % 100, 2 from numbers;

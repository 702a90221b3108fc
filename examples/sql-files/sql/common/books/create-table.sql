create table books (id integer primary key, author varchar(100) not null, title varchar(200) not null);

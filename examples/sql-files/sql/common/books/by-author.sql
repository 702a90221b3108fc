-- The author's books, by title.
select id, title from books where author = :author order by title

-- LIKE minds no case here.
select title from books where title like :pattern order by title

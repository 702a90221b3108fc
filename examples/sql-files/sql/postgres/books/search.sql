select title from books where title ilike :pattern order by title

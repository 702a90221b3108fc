insert into books (id, author, title) values (:id, :author, :title)

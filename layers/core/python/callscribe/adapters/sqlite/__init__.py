"""Tasks in SQLite files, one for each tenant and month: columns, tags, answers, and an index of their words."""

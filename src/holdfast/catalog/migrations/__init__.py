"""How the tables of a catalog came to be, step by step. A step that was released is never changed."""

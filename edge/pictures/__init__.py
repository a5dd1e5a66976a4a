"""Pictures: the forms in which one comes, and how each is made smaller."""

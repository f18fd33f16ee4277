"""What is remembered: the database, its tables, and the CRM read from and written to it."""

"""WhatsApp chat exports: a text file, zip or folder in, records and rejected entries out."""
